"""Streams races with Python's grpcio, cut once and resumed. Arguments: host:port, the descriptor set of the proto file, HTTP address."""
import json
import sys
import threading
import time
import urllib.request

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, json_format
from google.protobuf import empty_pb2, timestamp_pb2  # noqa: F401 (fills the default pool)

target, descriptors, http = sys.argv[1:4]
pool = descriptor_pool.Default()
with open(descriptors, "rb") as file:
    files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
for described in files.file:
    if not described.name.startswith("google/"):
        pool.Add(described)
message = lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))  # noqa: E731
Race, Request, Update = message("raceboard.Race"), message("raceboard.StreamRacesRequest"), message("raceboard.RaceUpdate")

channel = grpc.insecure_channel(target)
create = channel.unary_unary("/raceboard.RaceService/CreateRace", request_serializer=Race.SerializeToString, response_deserializer=Race.FromString)
get = channel.unary_unary("/raceboard.RaceService/GetRace", request_serializer=message("raceboard.GetRaceRequest").SerializeToString, response_deserializer=Race.FromString)
stream = channel.unary_stream("/raceboard.RaceService/StreamRaces", request_serializer=lambda request: request.SerializeToString(), response_deserializer=Update.FromString)


def names(updates):
    kinds = pool.FindMessageTypeByName("raceboard.RaceUpdate").enum_types_by_name["UpdateType"].values_by_number
    return [[kinds[update.type].name, update.race.id] for update in updates]


def post(path, body):
    request = urllib.request.Request(http + path, json.dumps(body).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(request).read()


for index in range(10):
    create(Race(id=f"py-{index}", source="py/a", title="job", state=2))
result = {}
try:
    get(message("raceboard.GetRaceRequest")(id="nope"))
except grpc.RpcError as error:
    result["error"] = [error.code().name, error.details()]


def read(request, until, change=None):
    call = stream(request, timeout=20)
    seen = []
    for update in call:
        seen.append(update)
        if until(seen):
            if change is None:
                break
            change()
            change = None
            until = lambda all, count=len(seen): len(all) > count  # noqa: E731
    call.cancel()
    return seen


# The snapshot may come before the pipeline has told of all races: wait until it has.
deadline = time.monotonic() + 15
while True:
    seen = read(Request(source="py/*", marks=True), lambda all: all[-1].type == 101)
    if len(seen) == 12 or time.monotonic() > deadline:
        break
    time.sleep(0.05)
result["snapshot"] = names(seen)
token = seen[-1].resume
live = read(Request(source="py/*"), lambda all: len(all) == 10, lambda: post("/race/py-3/event", {"type": "note"}))
result["live"] = names(live[10:])
token = read(Request(source="py/*", marks=True), lambda all: all[-1].type == 101)[-1].resume
for index in (2, 5, 7):
    post(f"/race/py-{index}/event", {"type": "note"})
# Until the gateway has seen the pipeline's word of the last one.
time.sleep(0.5)
resumed = read(Request(source="py/*", marks=True, resume=token), lambda all: len(all) >= 4)
result["resumed"] = names(resumed)
result["race"] = json_format.MessageToDict(get(message("raceboard.GetRaceRequest")(id="py-2")), preserving_proto_field_name=True)
empty = channel.unary_stream("/raceboard.RaceService/StreamRaces", request_serializer=empty_pb2.Empty.SerializeToString, response_deserializer=Update.FromString)
first = next(iter(empty(empty_pb2.Empty(), timeout=10)))
result["empty"] = names([first])
print(json.dumps(result))
