// api.js - the whole interface of a FastDFS client of npm, step by step, against a tracker.
//
//     node api.js CLIENT TRACKER_PORT SCRATCH_FOLDER
//
// A line of JSON for each step: {"step": NAME, "error": null or why}.
'use strict';
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const stream = require('stream');

const [name, port, folder] = process.argv.slice(2);
const Client = require(name);
const client = new Client({
  trackers: [{ host: '127.0.0.1', port: Number(port) }],
  timeout: 10000, defaultExt: 'txt', charset: 'utf8',
  logger: { log() {}, debug() {}, info() {}, warn() {}, error() {} },
});
const content = Buffer.from(Array.from({ length: 20000 }, (_, i) => (i * 7) & 255));
const file = path.join(folder, 'picture.jpg');
fs.writeFileSync(file, content);

const ID = /^g0[12]\/M00\/[0-9A-F]{2}\/[0-9A-F]{2}\/[A-Za-z0-9_-]{27}/;
const made = {};

function keep(which, id, ext) {
  assert.match(id, ID);
  assert.strictEqual(path.extname(id), ext);
  made[which] = id;
}

class Sink extends stream.Writable {
  constructor() { super({ autoDestroy: true }); this.parts = []; }
  _write(chunk, _, done) { this.parts.push(Buffer.from(chunk)); done(); }
  get bytes() { return Buffer.concat(this.parts); }
}

async function bytesOf(id, options) {
  const target = new Sink();
  await client.download(id, { target, ...options });
  return target.bytes;
}

async function fails(promise, status) {
  let why = null;
  try { await promise; } catch (error) { why = error; }
  assert.ok(why, 'it did not fail');
  if (status) assert.match(String(why.message || why), new RegExp(status));
}

const steps = {
  'upload a file': async () => keep('file', await client.upload(file), '.jpg'),
  'upload a buffer': async () => keep('buffer', await client.upload(content, { ext: 'bin' }), '.bin'),
  'upload a stream': async () => keep('stream',
    await client.upload(fs.createReadStream(file), { size: content.length, ext: 'jpg' }), '.jpg'),
  'upload without an extension': async () =>
    keep('default', await client.upload(Buffer.from('text')), '.txt'),
  'upload into a group': async () => {
    keep('group', await client.upload(content, { group: 'g02', ext: 'jpg' }), '.jpg');
    assert.ok(made.group.startsWith('g02/'));
  },
  'file info': async () => {
    const info = await client.getFileInfo(made.file);
    assert.strictEqual(info.size, content.length);
    assert.strictEqual(info.addr, '127.0.0.1');
    assert.ok(Math.abs(info.timestamp - Date.now() / 1000) < 60);
  },
  'download into a file': async () => {
    const copy = path.join(folder, 'copy.jpg');
    await client.download(made.file, copy);
    assert.deepStrictEqual(fs.readFileSync(copy), content);
  },
  'download into a stream': async () => assert.deepStrictEqual(await bytesOf(made.stream), content),
  'download a range': async () => assert.deepStrictEqual(
    await bytesOf(made.buffer, { offset: 100, bytes: 50 }), content.subarray(100, 150)),
  'download from an offset': async () => assert.deepStrictEqual(
    await bytesOf(made.group, { offset: 19000 }), content.subarray(19000)),
  'set metadata': () => client.setMetaData(made.file, { width: 100, height: 80 }),
  'get metadata': async () => assert.deepStrictEqual(
    { ...await client.getMetaData(made.file) }, { width: '100', height: '80' }),
  'merge metadata': async () => {
    await client.setMetaData(made.file, { width: 999, author: 'me' }, 'M');
    assert.deepStrictEqual({ ...await client.getMetaData(made.file) },
      { author: 'me', height: '80', width: '999' });
  },
  'replace metadata': async () => {
    await client.setMetaData(made.file, { only: 'this' }, 'O');
    assert.deepStrictEqual({ ...await client.getMetaData(made.file) }, { only: 'this' });
  },
  'upload an appender': async () => keep('appender',
    await client.upload(Buffer.from('12345'), { method: 'uploadAppender', ext: 'log' }), '.log'),
  'append': async () => {
    await client.upload(Buffer.from('678'), { method: 'append', fileId: made.appender });
    assert.strictEqual(String(await bytesOf(made.appender)), '12345678');
  },
  'modify': async () => {
    await client.upload(Buffer.from('XY'), { method: 'modify', fileId: made.appender, offset: 2 });
    assert.strictEqual(String(await bytesOf(made.appender)), '12XY5678');
  },
  'list groups': async () => {
    const list = await client.listGroups();
    assert.strictEqual(list.count, 2);
    assert.deepStrictEqual(list.groups.map((group) => group.groupName), ['g01', 'g02']);
    assert.ok(list.groups[0].totalMB > 0 && list.groups[0].activeCount === 1);
  },
  'list storages': async () => {
    const list = await client.listStorages('g01');
    assert.strictEqual(list.count, 1);
    assert.strictEqual(list.storages[0].status, 7);
    assert.strictEqual(list.storages[0].ipAddr, '127.0.0.1');
    assert.ok(list.storages[0].totalMB > 0 && list.storages[0].storePathCount === 1);
  },
  'delete': async () => {
    for (const id of Object.values(made)) await client.del(id);
  },
  'what is deleted is not there': async () => {
    await fails(client.getFileInfo(made.file), '2');
    await fails(client.del(made.buffer), '2');
    await fails(client.getMetaData(made.file), '2');
  },
};

(async () => {
  for (const [step, run] of Object.entries(steps)) {
    let error = null;
    const late = new Promise((_, reject) =>
      setTimeout(() => reject(new Error('no answer in 15 s')), 15000).unref());
    try { await Promise.race([run(), late]); } catch (why) { error = String((why && why.stack) || why); }
    console.log(JSON.stringify({ step, error }));
  }
  process.exit(0);
})();
