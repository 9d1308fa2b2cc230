"""between.py - stands between the clients of a storage and the storage, and keeps answers.

The storage advertises the address of a Between.  Everything passes, but the answers of
uploads that are to be lost: the storage has given them then, and its client has not got
them."""
import socket
import struct
import threading

import fdfs

HEADER = struct.Struct(">qBB")


class Between:
    def __init__(self, storage_port):
        self.storage_port = storage_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.to_lose = 0
        self.lost = []                 # ids of which nobody was told
        self.hold = threading.Event()  # a connection whose answer was lost stays open until then
        self.hold.set()
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.hold.set()
        # Wakes accept(), which a close alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            try:
                storage = socket.create_connection(("127.0.0.1", self.storage_port))
            except OSError:
                return
            with storage:
                try:
                    while self.pass_on(client, storage):
                        pass
                except (OSError, EOFError):
                    pass

    def pass_on(self, client, storage):
        """One request and its answer; False ends the connection."""
        request = self.read(client)
        storage.sendall(request)
        command = request[8]
        if command == fdfs.QUIT:
            return False
        answer = self.read(storage)
        if command == fdfs.UPLOAD and answer[9] == 0 and self.to_lose > 0:
            self.to_lose -= 1
            self.lost.append(fdfs.text(answer[10:26]) + "/" + answer[26:].decode())
            self.hold.wait(60)
            return False
        client.sendall(answer)
        return True

    def read(self, peer):
        head = self.exactly(peer, HEADER.size)
        return head + self.exactly(peer, HEADER.unpack(head)[0])

    @staticmethod
    def exactly(peer, count):
        data = bytearray()
        while len(data) < count:
            more = peer.recv(min(count - len(data), 1 << 16))
            if not more:
                raise EOFError
            data += more
        return bytes(data)
