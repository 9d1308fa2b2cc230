<?php
/* picstore.php - a client of picstore's services, in one file to copy.
 *
 *     require 'picstore.php';
 *     $store = new Picstore('127.0.0.1', 6998);
 *     $thumb = $store->cut('g01/M00/00/00/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg', 200, 200);
 *     $store->deleteLater([$thumb]);
 *
 * One connection, made when it is needed.  Every call either returns or throws
 * PicstoreError, whose getCode() is the field ret of the reply (docs/protocol.md) or 0 when
 * there was no reply.  Needs PHP 7.1 or later, 64 bits, and no extension. */

class PicstoreError extends Exception
{
    /** The request was sent: it may have been carried out, although no reply came. */
    public $sent;

    public function __construct(string $message, int $code = 0, bool $sent = false)
    {
        parent::__construct($message, $code);
        $this->sent = $sent;
    }

    public function word(): string
    {
        return Picstore::WORDS[$this->getCode()] ?? 'internal';
    }
}

class Picstore
{
    const WORDS = [
        'ok', 'bad_request', 'bad_id', 'not_found', 'gone', 'exists', 'too_large', 'store_full',
        'busy', 'not_allowed', 'corrupt', 'unknown', 'store_down', 'timeout', 'io_error',
        'unsupported', 'internal', 'no_key', 'bad_key', 'key_expired', 'key_not_yet',
        'empty_file', 'not_a_picture', 'pixel_bomb', 'truncated', 'service_down'];

    const DELETE_LATER = 3002;
    const CUT = 3005;
    const DELETE_NOW = 3030;
    const PING = 0x10B0;
    const SESSION = 0x10B5;
    const MAX_REPLY = 67108864;

    /** User number of the requests. */
    public $user = 0;

    private $where;
    private $timeout;
    private $u16;
    private $u32;
    private $stream = null;
    private $seq = 0;
    private $deadline = 0.0;

    /**
     * A client of admin_proxy, or of a service itself.  $address is a host, or the path of a
     * unix socket; $order is the byte_order of the installation, 'little' or 'big'; $timeout
     * is in seconds, for one call.
     */
    public function __construct(string $address = '127.0.0.1', int $port = 6998,
        string $order = 'little', float $timeout = 10.0)
    {
        if ($address !== '' && $address[0] === '/') {
            $this->where = 'unix://' . $address;
        } else {
            $host = strpos($address, ':') === false ? $address : "[$address]";
            $this->where = "tcp://$host:$port";
        }
        $this->timeout = $timeout;
        $this->u16 = $order === 'big' ? 'n' : 'v';
        $this->u32 = $order === 'big' ? 'N' : 'V';
    }

    public function __destruct()
    {
        $this->close();
    }

    public function close(): void
    {
        if ($this->stream !== null) {
            fclose($this->stream);
        }
        $this->stream = null;
    }

    /** Does anybody answer? */
    public function ping(): void
    {
        $this->call(self::PING);
    }

    /**
     * Scale the rectangle of a picture to $thumbW x $thumbH; returns the new picture's id.
     * With $clipW or $clipH 0 the whole picture is fitted into the box.
     */
    public function cut(string $url, int $thumbW, int $thumbH, int $clipW = 0, int $clipH = 0,
        int $startX = 0, int $startY = 0, int $hostid = 0): string
    {
        $reply = $this->call(self::CUT, $this->item($hostid, $url)
            . $this->number($clipW) . $this->number($clipH)
            . $this->number($startX, true) . $this->number($startY, true)
            . $this->number($thumbW) . $this->number($thumbH));
        if (strlen($reply) !== 68) {
            $this->broken('the reply to a cut makes no sense');
        }
        return explode("\0", substr($reply, 4), 2)[0];
    }

    /** Note pictures to be deleted; they are then, in their time. */
    public function deleteLater(array $urls, int $hostid = 0): void
    {
        $this->call(self::DELETE_LATER, $this->deletion($urls, $hostid));
    }

    /** Delete pictures, and all that was made of them, from the store and all caches. */
    public function deleteNow(array $urls, int $hostid = 0): void
    {
        $this->call(self::DELETE_NOW, $this->deletion($urls, $hostid));
    }

    /** Count a use of a session key; returns [used, left].  Code 19: used too often. */
    public function sessionUse(string $key): array
    {
        return $this->session(0, $key);
    }

    /** The same without counting. */
    public function sessionLook(string $key): array
    {
        return $this->session(1, $key);
    }

    /** Send a package of any command, return the body of its reply. */
    public function call(int $cmd, string $body = ''): string
    {
        $this->seq = ($this->seq + 1) & 0xffffffff;
        $this->deadline = microtime(true) + $this->timeout;
        $request = pack($this->u32 . $this->u16 . str_repeat($this->u32, 3),
            18 + strlen($body), $cmd, $this->user, $this->seq, 0) . $body;
        if ($this->stream !== null && $this->hasEnded()) {
            $this->close();
        }
        if ($this->stream === null) {
            $this->connect();
        }
        $this->send($request);
        $header = unpack("{$this->u32}len/{$this->u16}cmd/{$this->u32}id/{$this->u32}seq/"
            . "{$this->u32}ret", $this->receive(18));
        if ($header['cmd'] !== $cmd || $header['seq'] !== $this->seq || $header['len'] < 18
            || $header['len'] > self::MAX_REPLY) {
            $this->broken('the reply makes no sense: is the byte order the same there?');
        }
        $reply = $this->receive($header['len'] - 18);
        $ret = $header['ret'];
        if ($ret !== 0) {
            if ($ret === 6) { // the other end closes behind a package that is too long
                $this->close();
            }
            $word = self::WORDS[$ret] ?? 'internal';
            throw new PicstoreError("picstore answered $ret ($word)", $ret);
        }
        return $reply;
    }

    private function connect(): void
    {
        $stream = @stream_socket_client($this->where, $number, $message, $this->timeout);
        if ($stream === false) {
            throw new PicstoreError("{$this->where}: $message");
        }
        stream_set_blocking($stream, false);
        stream_set_read_buffer($stream, 0);
        stream_set_write_buffer($stream, 0);
        $this->stream = $stream;
    }

    /** An idle connection on which there is something to read has ended. */
    private function hasEnded(): bool
    {
        $read = [$this->stream];
        $none = null;
        return stream_select($read, $none, $none, 0) !== 0;
    }

    private function waitFor(bool $toWrite, bool $sent): void
    {
        $left = $this->deadline - microtime(true);
        $read = $toWrite ? null : [$this->stream];
        $write = $toWrite ? [$this->stream] : null;
        $none = null;
        $ready = $left <= 0 ? 0
            : stream_select($read, $write, $none, (int)$left, (int)(fmod($left, 1) * 1000000));
        if ($ready === 0) {
            $this->broken('it did not answer in time', $sent);
        }
    }

    private function send(string $bytes): void
    {
        while ($bytes !== '') {
            $this->waitFor(true, false);
            $sent = @fwrite($this->stream, $bytes);
            if ($sent === false) {
                $this->broken('the connection broke', false);
            }
            $bytes = (string)substr($bytes, $sent);
        }
    }

    private function receive(int $len): string
    {
        $bytes = '';
        while (strlen($bytes) < $len) {
            $this->waitFor(false, true);
            $part = @fread($this->stream, $len - strlen($bytes));
            if ($part === false || ($part === '' && feof($this->stream))) {
                $this->broken('the connection was closed instead of an answer');
            }
            $bytes .= $part;
        }
        return $bytes;
    }

    private function broken(string $why, bool $sent = true): void
    {
        $this->close();
        throw new PicstoreError("{$this->where}: $why", 0, $sent);
    }

    private function number(int $value, bool $signed = false): string
    {
        if ($value < ($signed ? -0x80000000 : 0) || $value > ($signed ? 0x7fffffff : 0xffffffff)) {
            throw new PicstoreError("$value does not fit its field", 1);
        }
        return pack($this->u32, $value & 0xffffffff);
    }

    private function item(int $hostid, string $url): string
    {
        if ($url === '' || strlen($url) > 64 || strpos($url, "\0") !== false) {
            throw new PicstoreError("'$url' is not an id of at most 64 characters", 2);
        }
        return $this->number($hostid) . str_pad($url, 64, "\0");
    }

    private function deletion(array $urls, int $hostid): string
    {
        $body = $this->number(count($urls));
        foreach ($urls as $url) {
            $body .= $this->item($hostid, $url);
        }
        return $body;
    }

    private function session(int $what, string $key): array
    {
        if (strlen($key) > 0xffff) {
            throw new PicstoreError('the session key is longer than any', 18);
        }
        $reply = $this->call(self::SESSION, pack($this->u16 . $this->u16, $what, strlen($key))
            . $key);
        if (strlen($reply) !== 8) {
            $this->broken('the reply about a session makes no sense');
        }
        return array_values(unpack("{$this->u32}used/{$this->u32}left", $reply));
    }
}
