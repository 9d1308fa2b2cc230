/* proto.h - the FastDFS protocol as bytes: every header, request and reply that
 * picstore speaks, in both directions.  No sockets, no decisions.
 *
 * Integers are big endian.  A package, in either direction, is
 *
 *     byte  size
 *     0     8     length of the body, signed; the header is not counted
 *     8     1     command; 100 in every reply
 *     9     1     status: in replies 0 or an errno, in requests flags (see below)
 *     10          body
 *
 * A reply with a status other than 0 has no body.  The tables of bodies stand at the
 * structs.  Text fields are filled up with NULs and may use their whole width.
 *
 * An address field is 16 or 46 bytes wide, one byte less in routing replies, and a
 * reader tells the width by the length of the body.
 *
 * Encoders append to a buf, which remembers if something did not fit.  Decoders
 * return false for bytes that are not such a body; they check shapes and lengths,
 * not meanings: a name still has to pass file_id_parse_name(). */
#pragma once

#include "core/buf.h"
#include "core/file_id.h"

enum {
	FDFS_HEADER_LEN = 10,
	FDFS_GROUP_WIDTH = 16,
	FDFS_EXT_WIDTH = 6,
	FDFS_PREFIX_WIDTH = 16, /* of a slave's name */
	FDFS_ID_WIDTH = 16,     /* of a storage's id */
	FDFS_IP_MAX = 46,
	FDFS_ROUTE_MAX = 32, /* storages in a routing reply */
	FDFS_PATHS_MAX = 256,
	FDFS_NAME_MIN = 22, /* what a tracker takes for a file name; it is at most 127 */
	FDFS_ANY_PATH = 255,
};

enum fdfs_cmd {
	/* storage */
	FDFS_UPLOAD = 11,
	FDFS_DELETE = 12,
	FDFS_SET_METADATA = 13,
	FDFS_DOWNLOAD = 14,
	FDFS_GET_METADATA = 15,
	FDFS_UPLOAD_SLAVE = 21,
	FDFS_FILE_INFO = 22,
	FDFS_UPLOAD_APPENDER = 23,
	FDFS_APPEND = 24,
	FDFS_MODIFY = 34,
	FDFS_TRUNCATE = 36,
	FDFS_REGENERATE = 38,
	/* tracker */
	FDFS_RUN_STATE = 64, /* this and the others in proto_stats.h are for monitoring tools */
	FDFS_STORAGE_IDS = 69,
	FDFS_STORAGE_ID = 70,
	FDFS_STORAGE_STATUS = 71,
	FDFS_PARAMETERS = 75,
	FDFS_LIST_GROUP = 90,
	FDFS_LIST_GROUPS = 91,
	FDFS_LIST_STORAGES = 92,
	FDFS_LEADER = 95,
	FDFS_TRACKER_STATS = 96,
	FDFS_STORAGE_STATS = 97,
	FDFS_VOLUME_STATS = 98,
	FDFS_QUERY_STORE_ONE = 101,
	FDFS_QUERY_FETCH_ONE = 102,
	FDFS_QUERY_UPDATE = 103,
	FDFS_QUERY_STORE_GROUP_ONE = 104,
	FDFS_QUERY_FETCH_ALL = 105,
	FDFS_QUERY_STORE_ALL = 106,
	FDFS_QUERY_STORE_GROUP_ALL = 107,
	/* both */
	FDFS_QUIT = 82, /* closes the connection, no reply */
	FDFS_REPLY = 100,
	FDFS_ACTIVE_TEST = 111,
	/* ours, from storage_server to tracker_server; no FastDFS program uses the number */
	FDFS_BEAT = 190,
	/* ours: the slaves of a file, and theirs; a request like FDFS_GET_METADATA, names
	 * with a line feed behind each in the reply.  FastDFS: EINVAL */
	FDFS_LIST_SLAVES = 191,
	/* ours, of storage_server; see proto_moving.h */
	FDFS_ADOPT = 192,
	FDFS_NAMES = 193,
	FDFS_RESTORE = 194,
	FDFS_MOVE = 200,
};

/* Flags in the status byte of a request.  FastDFS ignores the byte, except for the two
 * low bits of FDFS_FILE_INFO. */
enum {
	FDFS_FLAG_NO_CRC = 0x01, /* FDFS_FILE_INFO: do not read the file to compute a crc */
	FDFS_FLAG_QUIET = 0x02,  /* FDFS_FILE_INFO: a missing file is nothing to log */
	/* FDFS_DOWNLOAD, FDFS_FILE_INFO, FDFS_DELETE: our storage_server answers
	 * FDFS_STATUS_GONE instead of ENOENT for what was there and has been deleted.
	 * Without the flag, and from FastDFS, it is always ENOENT.  In the same way
	 * FDFS_STATUS_CORRUPT instead of EIO for bytes that do not match their id. */
	FDFS_FLAG_TELL_GONE = 0x40,
};

enum {
	FDFS_STATUS_NONSENSE = 22, /* EINVAL */
	FDFS_STATUS_GONE = 61,     /* ENODATA */
	FDFS_STATUS_CORRUPT = 74,  /* EBADMSG */
};

enum fdfs_ip_width { /* in the order of the setting fdfs.ip_width */
	FDFS_IP_16,
	FDFS_IP_46,
};

enum fdfs_layout {           /* in the order of the setting fdfs.record_layout */
	FDFS_LAYOUT_CURRENT, /* V6.15: GROUP 113, STORAGE 487 (517 with wide addresses) */
	FDFS_LAYOUT_105_612, /* V5.04 to V6.10: GROUP 105, STORAGE 612 (642 with wide ones) */
	FDFS_LAYOUT_105_600, /* up to V5.03: the same without connections, and never wide */
};

/* ---- headers ---- */

struct fdfs_header {
	int64_t len; /* of the body; from outside it may be negative or absurd */
	uint8_t cmd;
	uint8_t status;
};

void fdfs_header_write(const struct fdfs_header *header, uint8_t out[FDFS_HEADER_LEN]);
struct fdfs_header fdfs_header_read(const uint8_t in[FDFS_HEADER_LEN]);

/* Begin a package in `out`; returns what fdfs_end needs to know. */
size_t fdfs_begin(struct buf *out, uint8_t cmd, uint8_t status);

/* All of the body is written but `more` bytes, which the caller sends behind `out`:
 * puts the length into the header. */
void fdfs_end(struct buf *out, size_t begun, uint64_t more);

/* ---- requests ---- */

/* A group alone (FDFS_LIST_GROUP, FDFS_QUERY_STORE_GROUP_*): c16. */
void fdfs_put_group(struct buf *out, const char *group);
bool fdfs_get_group(struct span body, char group[FDFS_GROUP_WIDTH + 1]);

/* FDFS_LIST_STORAGES: c16 group, then up to 15 bytes of a storage's id or address,
 * "" for all storages. */
struct fdfs_list_request {
	char group[FDFS_GROUP_WIDTH + 1];
	char storage[FDFS_ID_WIDTH + 1];
};

void fdfs_put_list_request(struct buf *out, const struct fdfs_list_request *request);
bool fdfs_get_list_request(struct span body, struct fdfs_list_request *request);

/* One file (102, 103, 105, 12, 15, 22): c16 group, then the name to the end.  `name` is
 * borrowed from the body.  Any name of 1 to 127 bytes is read.
 *
 * A name in a request ends before its first NUL, here and in all that follow: there are
 * clients that send one along, and some the rest of their buffer. */
struct fdfs_file_request {
	char group[FDFS_GROUP_WIDTH + 1];
	struct span name;
};

struct span fdfs_cut_name(struct span name);

void fdfs_put_file_request(struct buf *out, const struct fdfs_file_request *request);
bool fdfs_get_file_request(struct span body, struct fdfs_file_request *request);

/* FDFS_UPLOAD, FDFS_UPLOAD_APPENDER: u8 store path, i64 size, c6 extension, content.
 * The encoder leaves the content to the caller; the decoder refuses a size that is not
 * what is left of the body. */
enum { FDFS_UPLOAD_HEAD_LEN = 15 };

struct fdfs_upload_request {
	uint8_t path;
	char ext[FDFS_EXT_WIDTH + 1]; /* without the dot; not checked */
	uint64_t size;
	struct span content; /* borrowed from the body */
};

void fdfs_put_upload_head(struct buf *out, const struct fdfs_upload_request *request);
bool fdfs_get_upload_request(struct span body, struct fdfs_upload_request *request);

/* FDFS_DOWNLOAD: i64 offset, i64 bytes (0: to the end), c16 group, name. */
struct fdfs_download_request {
	int64_t offset;
	int64_t bytes;
	struct fdfs_file_request file;
};

void fdfs_put_download_request(struct buf *out, const struct fdfs_download_request *request);
bool fdfs_get_download_request(struct span body, struct fdfs_download_request *request);

/* FDFS_UPLOAD_SLAVE: i64 length of the master's name, i64 size, c16 prefix, c6 extension,
 * master's name, content.  Encoder and decoder as for FDFS_UPLOAD. */
struct fdfs_slave_request {
	char prefix[FDFS_PREFIX_WIDTH + 1];
	char ext[FDFS_EXT_WIDTH + 1];
	struct span master; /* a name of 1 to 127 bytes, borrowed */
	uint64_t size;
	struct span content;
};

void fdfs_put_slave_head(struct buf *out, const struct fdfs_slave_request *request);
bool fdfs_get_slave_request(struct span body, struct fdfs_slave_request *request);

/* Changes of appender files; none of them names the group.
 *
 *     FDFS_APPEND      i64 length of the name, i64 size, name, content
 *     FDFS_MODIFY      i64 length of the name, i64 offset, i64 size, name, content
 *     FDFS_TRUNCATE    i64 length of the name, i64 new size, name
 *     FDFS_REGENERATE  name
 *
 * The encoder leaves the content to the caller. */
struct fdfs_change_request {
	struct span name; /* 1 to 127 bytes, borrowed */
	int64_t offset;   /* of FDFS_MODIFY; from outside it may be negative */
	int64_t size;     /* of the content; of FDFS_TRUNCATE what the file shall have */
	struct span content;
};

void fdfs_put_change_head(struct buf *out, uint8_t cmd, const struct fdfs_change_request *request);
bool fdfs_get_change_request(uint8_t cmd, struct span body, struct fdfs_change_request *request);

/* FDFS_SET_METADATA: i64 length of the name, i64 length of the metadata, u8 flag (O or M),
 * c16 group, name, metadata (metadata_text.h). */
struct fdfs_metadata_request {
	uint8_t flag; /* not checked */
	struct fdfs_file_request file;
	struct span text;
};

/* All but the text, of which only the length counts. */
void fdfs_put_metadata_head(struct buf *out, const struct fdfs_metadata_request *request);
bool fdfs_get_metadata_request(struct span body, struct fdfs_metadata_request *request);

/* ---- replies ---- */

/* Of uploads: c16 group, name.  `name` is borrowed. */
void fdfs_put_upload_reply(struct buf *out, const struct fdfs_file_request *file);
bool fdfs_get_upload_reply(struct span body, struct fdfs_file_request *file);

/* FDFS_FILE_INFO: i64 size, i64 time, i64 crc (32 bits, sign extended), c16 or c46
 * address of the source. */
struct fdfs_info_reply {
	uint64_t size;
	int64_t time; /* Unix seconds */
	uint32_t crc;
	char source[FDFS_IP_MAX + 1];
};

void fdfs_put_info_reply(
	struct buf *out, enum fdfs_ip_width width, const struct fdfs_info_reply *reply);
bool fdfs_get_info_reply(struct span body, struct fdfs_info_reply *reply);

/* Routing replies.
 *
 *     STORE-ONE  c16 group, c15 or c45 ip, i64 port, u8 store path
 *     STORE-ALL  c16 group, (ip, port) of each storage, u8 store path
 *     FETCH      c16 group, (ip, port) of each storage */
struct fdfs_address {
	char ip[FDFS_IP_MAX + 1];
	uint16_t port;
};

struct fdfs_route {
	char group[FDFS_GROUP_WIDTH + 1];
	struct fdfs_address to[FDFS_ROUTE_MAX];
	size_t count; /* 1 to FDFS_ROUTE_MAX */
	uint8_t path; /* of STORE replies; FDFS_ANY_PATH: the storage chooses */
};

void fdfs_put_store(struct buf *out, enum fdfs_ip_width width, const struct fdfs_route *route);
bool fdfs_get_store(struct span body, struct fdfs_route *route);
void fdfs_put_fetch(struct buf *out, enum fdfs_ip_width width, const struct fdfs_route *route);
bool fdfs_get_fetch(struct span body, struct fdfs_route *route);

/* GROUP record, the answer to 90 and, in a row, to 91.  Space in MiB.
 *
 *     113  105
 *     0    0    c17  name
 *     17   17   i64  total
 *     25   25   i64  free
 *     33        i64  reserved
 *     41   33   i64  free in trunk files
 *     49   41   i64  storages
 *     57   49   i64  storage port
 *          57   i64  storage HTTP port
 *     65        i64  readable storages
 *     73        i64  writable storages
 *          65   i64  active storages
 *     81   73   i64  current write server
 *     89   81   i64  store paths
 *     97   89   i64  folders in each of the two levels
 *     105  97   i64  current trunk file, -1: none are used */
struct fdfs_group_record {
	char name[FDFS_GROUP_WIDTH + 1];
	uint64_t total_mib, free_mib, reserved_mib, trunk_free_mib;
	uint64_t storages;
	uint64_t port, http_port;
	uint64_t readable, writable; /* of 105 bytes: both are the active storages */
	uint64_t write_server, paths, subdirs;
	int64_t trunk_file;
};

void fdfs_put_group_record(
	struct buf *out, enum fdfs_layout layout, const struct fdfs_group_record *record);

/* How many records of which length `body` is made of; false if of none that is known.
 * Then fdfs_get_group_record(span_of(body.data + i * len, len), ...) reads number i. */
bool fdfs_group_records(struct span body, size_t *len, size_t *count);
bool fdfs_get_group_record(struct span record, struct fdfs_group_record *out);

/* STORAGE record, in a row the answer to 92.  Times are Unix seconds, space is in MiB.
 * In the order of the bytes; the columns are V6.15 and V5.04, * marks what depends.
 *
 *     487  612
 *     1    1    u8   state
 *     1         u8   mode: 4 read, 2 write, added up
 *     16   16   text id
 *     16*  16*  text ip; 46 with wide addresses
 *          128  text domain name
 *     16   16   text id of the storage it first synced from
 *     8    6    text version
 *     8    8    i64  joined
 *     8    8    i64  started
 *     8    8    i64  total
 *     8    8    i64  free
 *     8         i64  reserved
 *     8    8    i64  upload priority
 *     8    8    i64  store paths
 *     8    8    i64  folders in each of the two levels
 *     8    8    i64  current write path
 *     8    8    i64  port
 *          8    i64  HTTP port
 *     12   12   u32  connections: allocated, current, most so far
 *     336  336  i64  42 counters, enum fdfs_counter
 *     1    1    u8   1: the group's trunk server
 *
 * Read are also the lengths of other versions: 517 (wide), 509, 600, 642, 644. */
enum fdfs_state {
	FDFS_STATE_INIT = 0,
	FDFS_STATE_IP_CHANGED = 3,
	FDFS_STATE_DELETED = 4,
	FDFS_STATE_OFFLINE = 5,
	FDFS_STATE_ONLINE = 6,
	FDFS_STATE_ACTIVE = 7,
};

enum { FDFS_MODE_WRITE = 2, FDFS_MODE_READ = 4 };

enum fdfs_counter { /* pairs: all of them, then those that succeeded */
	FDFS_COUNT_UPLOAD,
	FDFS_COUNT_UPLOAD_OK,
	FDFS_COUNT_APPEND = 2,
	FDFS_COUNT_MODIFY = 4,
	FDFS_COUNT_TRUNCATE = 6,
	FDFS_COUNT_SET_METADATA = 8,
	FDFS_COUNT_DELETE = 10,
	FDFS_COUNT_DELETE_OK,
	FDFS_COUNT_DOWNLOAD,
	FDFS_COUNT_DOWNLOAD_OK,
	FDFS_COUNT_GET_METADATA = 14,
	FDFS_COUNT_CREATE_LINK = 16,
	FDFS_COUNT_DELETE_LINK = 18,
	FDFS_BYTES_UPLOAD = 20,
	FDFS_BYTES_UPLOAD_OK,
	FDFS_BYTES_APPEND = 22,
	FDFS_BYTES_MODIFY = 24,
	FDFS_BYTES_DOWNLOAD = 26,
	FDFS_BYTES_DOWNLOAD_OK,
	FDFS_BYTES_SYNC_IN = 28,
	FDFS_BYTES_SYNC_OUT = 30,
	FDFS_COUNT_FILE_OPEN = 32,
	FDFS_COUNT_FILE_READ = 34,
	FDFS_COUNT_FILE_WRITE = 36,
	FDFS_LAST_SOURCE_UPDATE = 38, /* from here on single values: Unix seconds */
	FDFS_LAST_SYNC_UPDATE,
	FDFS_LAST_SYNCED,
	FDFS_LAST_BEAT,
	FDFS_COUNTERS,
};

/* As sync_source, where FastDFS has an id: the engine is shared, any storage of the group
 * has all files. */
#define FDFS_SYNC_SHARED "shared"

struct fdfs_storage_record {
	uint8_t state; /* enum fdfs_state */
	uint8_t mode;
	char id[FDFS_ID_WIDTH + 1];
	char ip[FDFS_IP_MAX + 1];
	char sync_source[FDFS_ID_WIDTH + 1];
	char version[9];
	int64_t joined, started;
	uint64_t total_mib, free_mib, reserved_mib;
	uint64_t priority, paths, subdirs, write_path;
	uint64_t port, http_port;
	uint32_t connections_allocated, connections, connections_max;
	uint64_t counters[FDFS_COUNTERS];
	bool trunk_server;
};

void fdfs_put_storage_record(struct buf *out, enum fdfs_layout layout, enum fdfs_ip_width width,
	const struct fdfs_storage_record *record);
bool fdfs_storage_records(struct span body, size_t *len, size_t *count);
bool fdfs_get_storage_record(struct span record, struct fdfs_storage_record *out);

/* FDFS_BEAT: what a storage_server tells each tracker_server, several times a second.
 * The reply has no body.  Status EINVAL: refused, as the storage contradicts another.
 *
 *     u8    version of this body, 1
 *     u8    state, enum fdfs_state
 *     u8    flags: bit 0 the engine is shared: any storage of the group has all files;
 *           bit 1 takes uploads and changes; bit 2 serves reads; bit 3 takes changes of
 *           the files that it has, though no uploads
 *     u8    unused, 0
 *     c16   group
 *     c16   storage id: what stands in file names as source, as text
 *     c46   ip that clients are told
 *     u16   port
 *     c8    version of the program
 *     i64   started
 *     u32   connections, u32 most connections so far
 *     42 * i64  counters, as in the STORAGE record
 *     u16   store paths; for each i64 total, i64 free, i64 reserved, in bytes; free is
 *           what uploads may still take: the reserve is taken off */
struct fdfs_path_space {
	uint64_t total, free, reserved;
};

struct fdfs_beat {
	uint8_t state;
	bool shared, writable, readable;
	bool draining; /* if not writable: changes are taken all the same */
	char group[FDFS_GROUP_WIDTH + 1];
	char id[FDFS_ID_WIDTH + 1];
	struct fdfs_address address;
	char version[9];
	int64_t started;
	uint32_t connections, connections_max;
	uint64_t counters[FDFS_COUNTERS];
	uint16_t path_count; /* 1 to 256 */
	struct fdfs_path_space paths[FDFS_PATHS_MAX];
};

void fdfs_put_beat(struct buf *out, const struct fdfs_beat *beat);
bool fdfs_get_beat(struct span body, struct fdfs_beat *beat);
