import { expect, test } from "vitest";
import { decode, encode } from "../../../src/protocol/codec.ts";
import { Link, type LinkOptions } from "../../../src/transport/link.ts";
import type { Transport, TransportListener } from "../../../src/transport/transport.ts";
import { until } from "../platform/processes.ts";

interface Head {
  k: string;
  n?: number;
  a?: number;
  session?: string;
}

/** The worker's end, which the test plays: what came on each connection, and the way back. */
function farSide() {
  const connections: { heads: Head[]; texts: string[]; listener: TransportListener; closed: boolean }[] = [];
  const connect = (listener: TransportListener): Transport => {
    const connection = { heads: [] as Head[], texts: [] as string[], listener, closed: false };
    connections.push(connection);
    return {
      send([head, ...rest]) {
        connection.heads.push(decode(head ?? new Uint8Array()) as Head);
        connection.texts.push(rest.map((frame) => Buffer.from(frame).toString()).join());
      },
      close() {
        connection.closed = true;
      },
    };
  };
  const at = (index: number) => {
    const connection = connections[index];
    if (connection === undefined) throw new Error(`there is no connection ${index}`);
    return connection;
  };
  return {
    connect,
    connections,
    at,
    say: (index: number, head: object, text?: string) =>
      at(index).listener.onMessage([encode(head), ...(text === undefined ? [] : [Buffer.from(text)])]),
  };
}

function openLink(more: Partial<LinkOptions> = {}) {
  const far = farSide();
  const heard: string[] = [];
  const failures: Error[] = [];
  const changes: string[] = [];
  const link = new Link(
    {
      url: "tcp://gpu:5555",
      connect: far.connect,
      takeOver: false,
      reconnectMs: Number.POSITIVE_INFINITY,
      refuses: async () => false,
      refusedMs: 0,
      onChange: ({ state }) => changes.push(state),
      ...more,
    },
    {
      onMessage: (frames) => heard.push(frames.map((frame) => Buffer.from(frame).toString()).join()),
      onFailure: (error) => failures.push(error),
    },
  );
  const opened = (index: number, a = 0) => far.say(index, { k: "opened", session: "s", keepSeconds: 60, a });
  return { link, far, heard, failures, changes, opened };
}

const send = (link: Link, text: string) => link.send([Buffer.from(text)]);

test("what is sent before the session is open waits, and goes out in order", () => {
  const { link, far, opened } = openLink();
  send(link, "one");
  send(link, "two");
  expect(far.at(0).heads).toMatchObject([{ k: "open", session: "", a: 0 }]);
  opened(0);
  expect(far.at(0).texts.slice(1)).toEqual(["one", "two"]);
  expect(far.at(0).heads.slice(1)).toMatchObject([{ n: 1 }, { n: 2 }]);
});

test("after a break what did not arrive is sent again, and nothing is heard twice", async () => {
  const { link, far, heard, changes, opened } = openLink();
  opened(0);
  for (const text of ["one", "two", "three"]) send(link, text);
  far.say(0, { k: "data", n: 1, a: 1 }, "first");
  far.at(0).listener.onFailure(new Error("cut"));
  send(link, "four");
  await until(() => far.connections.length === 2);
  expect(far.at(1).heads).toMatchObject([{ k: "open", session: "s", a: 1 }]);
  opened(1, 2);
  expect(far.at(1).texts.slice(1)).toEqual(["three", "four"]);
  far.say(1, { k: "data", n: 1, a: 2 }, "first");
  far.say(1, { k: "data", n: 2, a: 4 }, "second");
  // Of a connection that is gone.
  far.say(0, { k: "data", n: 3, a: 4 }, "third");
  expect(heard).toEqual(["first", "second"]);
  expect(changes).toEqual(["lost", "restored"]);
});

test("what arrived is said, also where there is nothing else to say", async () => {
  const { far, opened } = openLink();
  opened(0);
  far.say(0, { k: "data", n: 1, a: 0 }, "first");
  await until(() => far.at(0).heads.length === 2);
  expect(far.at(0).heads[1]).toMatchObject({ k: "ack", a: 1 });
});

test("a first connection that fails is no lost link: it is told at once", () => {
  const { far, failures, changes } = openLink();
  far.at(0).listener.onFailure(new Error("nobody listens"));
  expect(failures).toMatchObject([{ message: "nobody listens" }]);
  expect(changes).toEqual([]);
});

test("a session that the worker has no more is told as it says", async () => {
  const { far, failures, opened } = openLink();
  opened(0);
  far.at(0).listener.onFailure(new Error("cut"));
  await until(() => far.connections.length === 2);
  const e = { code: "CONNECTION_LOST", message: "given up", details: {}, type: "", traceback: "" };
  far.say(1, { k: "refused", e });
  expect(failures).toMatchObject([{ code: "CONNECTION_LOST", message: "given up" }]);
  expect(far.at(1).closed).toBe(true);
});

test("it is given up when the time to come back is over", async () => {
  const { far, failures, opened } = openLink({ reconnectMs: 1 });
  opened(0);
  far.at(0).listener.onFailure(new Error("cut"));
  await until(() => far.connections.length === 2);
  far.at(1).listener.onFailure(new Error("nobody listens"));
  await until(() => failures.length > 0);
  expect(failures).toMatchObject([{ code: "CONNECTION_LOST", cause: { message: "nobody listens" } }]);
});

test("a machine that refuses for long enough has no worker; one that is silent may come back", async () => {
  let refuses = false;
  const { far, failures, opened } = openLink({ refuses: async () => refuses, refusedMs: 1 });
  const broken = async (attempt: number) => {
    far.at(attempt).listener.onFailure(new Error("nobody listens"));
    await until(() => far.connections.length === attempt + 2 || failures.length > 0);
  };
  opened(0);
  await broken(0);
  await broken(1);
  refuses = true;
  await broken(2); // refused, and no longer so at the next look
  refuses = false;
  await broken(3);
  expect(failures).toEqual([]);
  opened(4);
  await broken(4);
  refuses = true;
  await broken(5);
  await broken(6);
  expect(failures).toMatchObject([{ code: "CONNECTION_LOST", details: { refused: true } }]);
});

test("a close says so, and is over when the worker has heard it", async () => {
  const { link, far, failures, opened } = openLink();
  opened(0);
  link.close();
  expect(far.at(0).heads.at(-1)).toEqual({ k: "bye" });
  expect(far.at(0).closed).toBe(false);
  far.say(0, { k: "bye" });
  await link.closed;
  expect(far.at(0).closed).toBe(true);
  expect(failures).toEqual([]);
});

test.each(["before", "after"])("a link that breaks %s its close is made again to say so", async (when) => {
  const { link, far, failures, changes, opened } = openLink();
  opened(0);
  send(link, "kept for a worker that is not asked any more");
  const cut = () => far.at(0).listener.onFailure(new Error("cut"));
  if (when === "before") cut();
  link.close();
  if (when === "after") cut();
  await until(() => far.connections.length === 2);
  expect(far.at(0).closed).toBe(true);
  opened(1);
  expect(far.at(1).heads.map(({ k }) => k)).toEqual(["open", "bye"]);
  far.say(1, { k: "bye" });
  await link.closed;
  expect(far.at(1).closed).toBe(true);
  expect(failures).toEqual([]);
  expect(changes).not.toContain("restored");
});

test("a close is over where the worker has given the session up, or never answers", async () => {
  for (const answer of [true, false]) {
    const { link, far, failures, opened } = openLink();
    opened(0);
    far.at(0).listener.onFailure(new Error("cut"));
    link.close();
    await until(() => far.connections.length === 2);
    const e = { code: "CONNECTION_LOST", message: "given up", details: {}, type: "", traceback: "" };
    if (answer) far.say(1, { k: "refused", e });
    await link.closed;
    expect(far.at(1).closed).toBe(true);
    expect(failures).toEqual([]);
  }
});

test("a message that cannot be read ends the session instead of leaving calls waiting", () => {
  const { far, failures, opened } = openLink();
  opened(0);
  far.say(0, { k: "surprise" });
  expect(failures).toMatchObject([{ code: "PROTOCOL" }]);
});
