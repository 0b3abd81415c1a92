import { messageOf } from '../errors.ts';
import { failure } from './failures.ts';

/** A file of a form. */
export type FormFile = { readonly name: string; readonly bytes: Buffer };

/** The first file of a multipart/form-data body, wherever it stands. Throws the answer for a body without one. */
export async function formFile(body: unknown, contentType: string | undefined): Promise<FormFile> {
  if (!Buffer.isBuffer(body)) throw failure('invalid_request', 'The body must be a form (multipart/form-data) with a file');
  let form: FormData;
  try {
    form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType ?? '' } }).formData();
  } catch (error) {
    throw failure('invalid_request', `The form cannot be read: ${messageOf(error).slice(0, 200)}`);
  }
  for (const value of form.values()) if (typeof value !== 'string') return { name: value.name, bytes: Buffer.from(await value.arrayBuffer()) };
  throw failure('invalid_request', 'The form holds no file');
}
