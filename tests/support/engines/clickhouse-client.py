"""Asks a gateway with clickhouse-connect as if it were ClickHouse. Arguments: host, port, race to look for."""
import json
import sys

import clickhouse_connect

host, port, race = sys.argv[1:4]
client = clickhouse_connect.get_client(host=host, port=int(port), proxy_path="/clickhouse", database="raceline", autogenerate_session_id=False)
result = {"version": client.server_version.split(".")[0].isdigit(), "settings": len(client.query("SELECT name, value, readonly FROM system.settings").result_rows)}
rows = client.query("SELECT race_id, source, duration_sec FROM races WHERE race_id = {id:String}", parameters={"id": race})
result["rows"] = [list(row) for row in rows.result_rows]
result["names"] = list(rows.column_names)
result["command"] = client.command("SELECT count() FROM races")
result["tables"] = "races" in [row[0] for row in client.query("SHOW TABLES").result_rows]
result["inline"] = client.query("SELECT %(a)s AS a, toDateTime64('2026-01-01 00:00:00', 3, 'UTC') AS at, map('k', 'v') AS m", parameters={"a": "x'y"}).first_item["a"]
for name, statement in {"write": "DROP TABLE races", "file": "SELECT * FROM file('/etc/passwd', 'LineAsString')", "network": "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')"}.items():
    try:
        client.command(statement)
        result[name] = "done"
    except clickhouse_connect.driver.exceptions.DatabaseError as error:
        result[name] = "READONLY" in str(error)
print(json.dumps(result))
