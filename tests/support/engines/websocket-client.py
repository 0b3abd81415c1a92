"""Follows races with Python's websocket-client, cut once and resumed. Argument: the HTTP address of a gateway."""
import json
import sys
import time
import urllib.request

import websocket

http = sys.argv[1]
url = http.replace("http", "ws", 1) + "/v1/etas"


def post(path, body):
    request = urllib.request.Request(http + path, json.dumps(body).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(request).read()


def follow(resume=None):
    socket = websocket.create_connection(url, timeout=15)
    socket.send(json.dumps({"type": "subscribe", "filter": {"source": "ws/*"}, **({} if resume is None else {"resume": resume})}))
    return socket


def frame(socket):
    return json.loads(socket.recv())


def snapshot(socket):
    races, sequence = [], []
    while True:
        got = frame(socket)
        assert got["type"] == "snapshot", got
        sequence.append(got["seq"])
        races += got["races"]
        if got["complete"]:
            return races, sequence, got["resume"]


for index in range(20):
    post("/race", {"id": f"ws-{index}", "source": "ws/a", "title": "job", "state": "running"})
deadline = time.monotonic() + 15
while True:
    socket = follow()
    races, sequence, token = snapshot(socket)
    if len(races) == 20 and all(race["eta"] is not None for race in races) or time.monotonic() > deadline:
        break
    socket.close()
    time.sleep(0.05)
result = {"snapshot": sorted(race["race_id"] for race in races), "first": sequence}
post("/race/ws-4/event", {"type": "note"})
delta = frame(socket)
result["delta"] = [delta["type"], delta["seq"], [race["race_id"] for race in delta["races"]], delta["removed"]]
# Cut without a goodbye, as a network does. What came since the token comes again.
socket.sock.close()
for index in (1, 9, 13):
    post(f"/race/ws-{index}/event", {"type": "note"})
request = urllib.request.Request(http + "/race/ws-2", method="DELETE")
urllib.request.urlopen(request).read()
time.sleep(0.7)
socket = follow(token)
resumed = frame(socket)
changed, removed = [], []
while len(changed) + len(removed) < 5:
    got = frame(socket)
    assert got["type"] == "delta", got
    changed += [race["race_id"] for race in got["races"]]
    removed += got["removed"]
# Nothing else comes.
socket.settimeout(1)
try:
    extra = frame(socket)
except websocket.WebSocketTimeoutException:
    extra = None
socket.close()
result.update(resumed=resumed["type"], changed=sorted(changed), removed=removed, extra=extra)
print(json.dumps(result))
