"""A foreign Kafka client for the tests: librdkafka with JSON lines on stdin and stdout."""
import json
import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext


def produce(brokers, topic, partition, codec):
    producer = Producer({"bootstrap.servers": brokers, "compression.type": codec, "linger.ms": 200, "acks": "all"})
    deliver(producer, lambda record, done: producer.produce(
        topic, partition=int(partition), key=record["key"], value=record["value"], on_delivery=done))


def produce_json(brokers, topic):
    """With the partitioner that librdkafka comes with."""
    producer = Producer({"bootstrap.servers": brokers})
    partitions = deliver(producer, lambda record, done: producer.produce(
        topic, key=record["key"], value=json.dumps(record["value"]), on_delivery=done))
    print(json.dumps(partitions))


def produce_avro(brokers, topic, registry):
    """By the newest schema of the topic's subject, with the partitioner that librdkafka comes with."""
    producer = Producer({"bootstrap.servers": brokers})
    client = SchemaRegistryClient({"url": registry})
    schema = client.get_latest_version(f"{topic}-value").schema
    serialize = AvroSerializer(client, schema, conf={"auto.register.schemas": False, "use.latest.version": True})
    context = SerializationContext(topic, MessageField.VALUE)
    partitions = deliver(producer, lambda record, done: producer.produce(
        topic, key=record["key"], value=serialize(record["value"], context), on_delivery=done))
    print(json.dumps(partitions))


def deliver(producer, send):
    """Sends every line; the partition of each, in the order of delivery."""
    failed, partitions = [], []

    def done(error, message):
        failed.append(str(error)) if error else partitions.append([message.key().decode(), message.partition()])

    for line in sys.stdin:
        send(json.loads(line), done)
    if producer.flush(30) > 0 or failed:
        raise SystemExit(f"not delivered: {failed}")
    return partitions


def consume(brokers, topic, partition, count):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "foreign", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, int(partition), 0)])
    for _ in range(int(count)):
        message = consumer.poll(30)
        if message is None or message.error():
            raise SystemExit(f"not consumed: {message and message.error()}")
        text = lambda data: None if data is None else data.decode()
        print(json.dumps({"offset": message.offset(), "key": text(message.key()), "value": text(message.value()),
                          "headers": [[name, text(value)] for name, value in message.headers() or []]}))
    consumer.close()


def consume_avro(brokers, topic, registry):
    """All that is in the topic now, decoded by the schemas that the records name; instants as epoch ms."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "foreign", "enable.auto.commit": False})
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    context = SerializationContext(topic, MessageField.VALUE)
    for partition in consumer.list_topics(topic, 30).topics[topic].partitions:
        place = TopicPartition(topic, partition, 0)
        low, high = consumer.get_watermark_offsets(place, 30)
        consumer.assign([place])
        offset = low
        while offset < high:
            message = consumer.poll(30)
            if message is None or message.error():
                raise SystemExit(f"not consumed: {message and message.error()}")
            offset = message.offset() + 1
            print(json.dumps({"partition": partition, "offset": message.offset(), "key": message.key().decode(),
                              "value": deserialize(message.value(), context)}, default=lambda instant: round(instant.timestamp() * 1000)))
    consumer.close()


modes = {"produce": produce, "produce-json": produce_json, "produce-avro": produce_avro, "consume": consume, "consume-avro": consume_avro}
modes[sys.argv[1]](*sys.argv[2:])
