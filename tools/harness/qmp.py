"""QEMU's machine protocol, as far as it is needed here: commands without streaming, events ignored."""
import json


class QmpError(Exception):
    pass


class Qmp:
    def __init__(self, connection, timeout=20):
        connection.settimeout(timeout)
        self._connection = connection
        self._stream = connection.makefile("rw", encoding="utf-8")
        self._read()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        request = {"execute": command, "arguments": arguments} if arguments else {"execute": command}
        self._stream.write(json.dumps(request) + "\n")
        self._stream.flush()
        while True:
            answer = self._read()
            if "error" in answer:
                raise QmpError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def close(self):
        self._stream.close()
        self._connection.close()

    def _read(self):
        line = self._stream.readline()
        if not line:
            raise QmpError("QEMU has closed the connection")
        return json.loads(line)
