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
    const PHOTO_PUT = 0x10C0;
    const PHOTO_GET = 0x10C1;
    const PHOTO_GET_URL = 0x10C2;
    const LIST_ALBUM = 0x10C3;
    const LIST_USER = 0x10C4;
    const PHOTO_RENAME = 0x10C5;
    const PHOTO_MOVE = 0x10C6;
    const PHOTO_DELETE = 0x10C7;
    const PHOTO_COUNT = 0x10C8;
    const PHOTO_SEARCH = 0x10C9;
    const PHOTO_SETTLE = 0x10CA;
    const ALBUMS = 0x10CB;
    const LIST_ALL = 0x10CC;
    const MAX_REPLY = 67108864;

    /** A photo's states, and what settles one that is pending. */
    const PENDING = 0;
    const STORED = 1;
    const DELETED = 2;
    const LOST = 3;
    const FORGET = 0;

    /** The numbers of a photo in their order, and of how many bits each is. */
    const PHOTO_FIELDS = [
        'photoid' => 64, 'uid' => 32, 'albumid' => 32, 'channel' => 32, 'is_head' => 16,
        'state' => 16, 'type' => 16, 'width' => 32, 'height' => 32, 'crc' => 32, 'length' => 64,
        'time' => 64];

    /** User number of the requests. */
    public $user = 0;

    private $where;
    private $timeout;
    private $u16;
    private $u32;
    private $u64;
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
        $this->u64 = $order === 'big' ? 'J' : 'P';
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

    /**
     * Put a photo, an array of the fields that photoGet returns; those that are left out are 0
     * or empty, so it is pending unless 'state' and 'url' say otherwise.  Returns [albumid,
     * photoid].  Code 5: another photo has that url.
     */
    public function photoPut(array $photo): array
    {
        $body = '';
        foreach (self::PHOTO_FIELDS as $field => $bits) {
            $body .= $this->unsigned($bits, (int)($photo[$field] ?? 0));
        }
        $ip = ip2long($photo['ip'] ?? '0.0.0.0');
        if ($ip === false) {
            throw new PicstoreError("'{$photo['ip']}' is no IPv4 address", 1);
        }
        $unknown = array_diff_key($photo, self::PHOTO_FIELDS, ['ip' => 0, 'name' => 0, 'url' => 0]);
        if ($unknown) {
            throw new PicstoreError("a photo has no field '" . key($unknown) . "'", 1);
        }
        $body .= pack('N', $ip) . $this->text($photo['name'] ?? '') . $this->text($photo['url'] ?? '');
        return $this->fixed([32, 64], $this->call(self::PHOTO_PUT, $body));
    }

    /** A photo by its number, as an array. */
    public function photoGet(int $photoid): array
    {
        return $this->onePhoto($this->call(self::PHOTO_GET, $this->unsigned(64, $photoid)));
    }

    /** A photo by the id of its picture. */
    public function photoGetUrl(string $url): array
    {
        return $this->onePhoto($this->call(self::PHOTO_GET_URL, $this->text($url)));
    }

    /**
     * Photos of an album; returns [an array of them, whether there are more].  $options of this
     * and other lists: 'after', the last photoid of the page before; 'limit', at most 1000;
     * 'newest_first'; 'states', an array of states, stored ones alone if it is left out.
     */
    public function albumPhotos(int $uid, int $albumid = 0, array $options = []): array
    {
        return $this->photos(self::LIST_ALBUM, $uid, $albumid, '', $options);
    }

    /** Photos of a user. */
    public function userPhotos(int $uid, array $options = []): array
    {
        return $this->photos(self::LIST_USER, $uid, 0, '', $options);
    }

    /** Photos of a user with $text anywhere in their names. */
    public function searchPhotos(int $uid, string $text, array $options = []): array
    {
        return $this->photos(self::PHOTO_SEARCH, $uid, 0, $text, $options);
    }

    /** Photos of all users. */
    public function allPhotos(array $options = []): array
    {
        return $this->photos(self::LIST_ALL, 0, 0, '', $options);
    }

    /** Of an album, or of all of a user's; returns [how many, of how many bytes]. */
    public function photoCount(int $uid, int $albumid = 0, array $states = []): array
    {
        return $this->fixed([64, 64], $this->call(self::PHOTO_COUNT,
            $this->query($uid, $albumid, '', ['states' => $states])));
    }

    /** Code 9: it is another user's, here and below; user 0 may change everybody's. */
    public function photoRename(int $photoid, string $name): void
    {
        $this->call(self::PHOTO_RENAME, $this->unsigned(64, $photoid) . $this->text($name));
    }

    /** Into another album of its owner, which is made if need be; returns its number. */
    public function photoMove(int $photoid, int $albumid): int
    {
        return $this->fixed([32], $this->call(self::PHOTO_MOVE,
            $this->unsigned(64, $photoid) . $this->number($albumid)))[0];
    }

    /** Mark a photo as deleted, by number or by url.  deleteNow deletes its picture too. */
    public function photoDelete(int $photoid = 0, string $url = ''): void
    {
        $this->call(self::PHOTO_DELETE, $this->unsigned(64, $photoid) . $this->text($url));
    }

    /** What became of a photo: FORGET (one that is pending), STORED as $url, DELETED, LOST. */
    public function photoSettle(int $photoid, int $what, string $url = ''): void
    {
        $this->call(self::PHOTO_SETTLE, $this->unsigned(64, $photoid) . $this->unsigned(16, $what)
            . $this->text($url));
    }

    /** Albums of a user, as arrays; returns [an array of them, whether there are more]. */
    public function albums(int $uid, int $after = 0, int $limit = 100): array
    {
        return $this->page($this->call(self::ALBUMS,
            $this->query($uid, 0, '', ['after' => $after, 'limit' => $limit])), 'takeAlbum');
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

    /** A number of 16, 32 or 64 bits; those of 64 are below 2^63, as PHP's own are. */
    private function unsigned(int $bits, int $value): string
    {
        if ($value < 0 || ($bits < 64 && $value >> $bits !== 0)) {
            throw new PicstoreError("$value does not fit its field", 1);
        }
        return pack($bits === 16 ? $this->u16 : ($bits === 32 ? $this->u32 : $this->u64), $value);
    }

    private function text(string $text): string
    {
        if (strlen($text) > 255) {
            throw new PicstoreError('a name or url has at most 255 bytes', 1);
        }
        return $this->unsigned(16, strlen($text)) . $text;
    }

    private function query(int $uid, int $albumid, string $text, array $options): string
    {
        $states = 0;
        foreach ($options['states'] ?? [] as $state) {
            $states |= 1 << $state;
        }
        return $this->number($uid) . $this->number($albumid)
            . $this->unsigned(64, $options['after'] ?? 0)
            . $this->unsigned(16, $options['limit'] ?? 100)
            . $this->unsigned(16, empty($options['newest_first']) ? 0 : 1)
            . $this->unsigned(16, $states) . $this->text($text);
    }

    private function photos(int $cmd, int $uid, int $albumid, string $text, array $options): array
    {
        return $this->page($this->call($cmd, $this->query($uid, $albumid, $text, $options)),
            'takePhoto');
    }

    /** The numbers that make up a reply. */
    private function fixed(array $sizes, string $reply): array
    {
        $at = 0;
        $numbers = [];
        foreach ($sizes as $bits) {
            $numbers[] = $this->take($bits, $reply, $at);
        }
        $this->end($reply, $at);
        return $numbers;
    }

    private function page(string $reply, string $take): array
    {
        $at = 0;
        $found = [];
        $more = $this->take(16, $reply, $at);
        for ($count = $this->take(16, $reply, $at); $count > 0; $count--) {
            $found[] = $this->$take($reply, $at);
        }
        $this->end($reply, $at);
        return [$found, $more !== 0];
    }

    private function onePhoto(string $reply): array
    {
        $at = 0;
        $photo = $this->takePhoto($reply, $at);
        $this->end($reply, $at);
        return $photo;
    }

    private function takePhoto(string $reply, int &$at): array
    {
        $photo = [];
        foreach (self::PHOTO_FIELDS as $field => $bits) {
            $photo[$field] = $this->take($bits, $reply, $at);
        }
        $photo['ip'] = inet_ntop($this->bytes(4, $reply, $at));
        $photo['name'] = $this->bytes($this->take(16, $reply, $at), $reply, $at);
        $photo['url'] = $this->bytes($this->take(16, $reply, $at), $reply, $at);
        return $photo;
    }

    private function takeAlbum(string $reply, int &$at): array
    {
        return ['albumid' => $this->take(32, $reply, $at), 'made' => $this->take(64, $reply, $at),
            'photos' => $this->take(64, $reply, $at),
            'name' => $this->bytes($this->take(16, $reply, $at), $reply, $at)];
    }

    private function take(int $bits, string $reply, int &$at): int
    {
        $code = $bits === 16 ? $this->u16 : ($bits === 32 ? $this->u32 : $this->u64);
        return unpack($code, $this->bytes(intdiv($bits, 8), $reply, $at))[1];
    }

    private function bytes(int $len, string $reply, int &$at): string
    {
        if ($at + $len > strlen($reply)) {
            $this->broken('the reply about a photo makes no sense');
        }
        $at += $len;
        return (string)substr($reply, $at - $len, $len);
    }

    private function end(string $reply, int $at): void
    {
        if ($at !== strlen($reply)) {
            $this->broken('the reply about a photo makes no sense');
        }
    }
}
