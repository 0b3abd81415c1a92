"""A foreign Kafka client for the tests: produce or consume with librdkafka, JSON lines on stdin and stdout."""
import json
import sys

from confluent_kafka import Consumer, Producer, TopicPartition


def produce(brokers, topic, partition, codec):
    producer = Producer({"bootstrap.servers": brokers, "compression.type": codec, "linger.ms": 200, "acks": "all"})
    failed = []
    for line in sys.stdin:
        record = json.loads(line)
        producer.produce(topic, partition=partition, key=record["key"], value=record["value"],
                         on_delivery=lambda error, _: failed.append(str(error)) if error else None)
    if producer.flush(30) > 0 or failed:
        raise SystemExit(f"not delivered: {failed}")


def consume(brokers, topic, partition, count):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "foreign", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0)])
    for _ in range(int(count)):
        message = consumer.poll(30)
        if message is None or message.error():
            raise SystemExit(f"not consumed: {message and message.error()}")
        text = lambda data: None if data is None else data.decode()
        print(json.dumps({"offset": message.offset(), "key": text(message.key()), "value": text(message.value()),
                          "headers": [[name, text(value)] for name, value in message.headers() or []]}))
    consumer.close()


mode, brokers, topic, partition, last = sys.argv[1:]
(produce if mode == "produce" else consume)(brokers, topic, int(partition), last)
