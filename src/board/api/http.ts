const TOKEN_KEY = 'raceline-token';

/** What the service said no with. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Kept for this tab only. */
export function savedToken(): string | null {
  return sessionStorage.getItem(TOKEN_KEY);
}

export function saveToken(token: string): void {
  sessionStorage.setItem(TOKEN_KEY, token);
}

/** Throws ApiError; status 0 = no answer at all. */
export async function request(path: string, init: { readonly method?: string; readonly body?: string; readonly type?: string } = {}): Promise<Response> {
  const token = savedToken();
  let answer: Response;
  try {
    answer = await fetch(path, {
      method: init.method ?? 'GET',
      // The token goes in a header; a browser's own box for passwords must not open.
      credentials: 'omit',
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...(init.body === undefined ? {} : { 'content-type': init.type ?? 'application/json' }) },
      ...(init.body === undefined ? {} : { body: init.body }),
    });
  } catch {
    throw new ApiError(0, 'no_answer', 'The service does not answer');
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let said: { code?: string; message?: string; error?: string } = {};
  try {
    said = JSON.parse(text) as typeof said;
  } catch {
    said = { message: text.slice(0, 300) };
  }
  throw new ApiError(answer.status, said.code ?? String(answer.status), said.message ?? said.error ?? answer.statusText);
}

export async function getJson<T>(path: string): Promise<T> {
  return await (await request(path)).json() as T;
}

export async function postJson<T>(path: string, body: object): Promise<T> {
  return await (await request(path, { method: 'POST', body: JSON.stringify(body) })).json() as T;
}
