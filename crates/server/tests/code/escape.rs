//! Ways out of an interpreter that were found elsewhere, each against canaries that would tell if
//! one were a way out of ours: a file, an environment, a listener, a process.
//!
//! What becomes of native code that got out is in `code::confine`.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;

use engine::port::{Sandbox, Script};
use serde_json::json;
use server::code::Processes;

/// What would stand in a result if code had read it.
const SECRET: &str = "canary-7f3a91";

/// Expressions that gave something of the host, or a function that runs outside, in some
/// interpreter: globals, constructors, errors, proxies, modules, loaders.
const WAYS: [&str; 88] = [
    "globalThis",
    "this",
    "Function('return this')()",
    "new Function('return globalThis')()",
    "(0, eval)('this')",
    "eval('this')",
    "(function () { return this; })()",
    "[].constructor.constructor('return this')()",
    "''.constructor.constructor('return this')()",
    "(0).constructor.constructor('return this')()",
    "/x/.constructor.constructor('return this')()",
    "Symbol().constructor.constructor('return this')()",
    "(async () => {}).constructor('return this')()",
    "(function* () {}).constructor('return this')().next().value",
    "(async function* () {}).constructor('return this')().next()",
    "console.log.constructor('return this')()",
    "console.constructor.constructor('return this')()",
    "console.log.bind.constructor('return this')()",
    "input.constructor.constructor('return this')()",
    "input.__proto__.constructor.constructor('return this')()",
    "queueMicrotask.constructor('return this')()",
    "Reflect.construct(Function, ['return this'])()",
    "Reflect.apply(Function, null, ['return this'])()",
    "Reflect.getPrototypeOf(console.log).constructor('return this')()",
    "Object.getPrototypeOf(async function () {}).constructor('return this')()",
    "new Proxy({}, {}).constructor.constructor('return this')()",
    "new Proxy(Function, { apply: (t, s, a) => t(...a) })('return this')()",
    "new (class extends Function {})('return this')()",
    "class { static x = this.constructor('return this')() }.x",
    "(() => { try { null.x; } catch (e) { return e.constructor.constructor('return this')(); } })()",
    "(() => { const f = () => f(); try { f(); } catch (e) { return e.constructor.constructor('return this')(); } })()",
    "(() => { try { new Uint8Array(1e12); } catch (e) { return e.constructor.constructor('return this')(); } })()",
    "(() => { try { BigInt(0.5); } catch (e) { return e.constructor.constructor('return this')(); } })()",
    "(() => { try { decodeURI('%'); } catch (e) { return e.constructor.constructor('return this')(); } })()",
    "(() => { try { JSON.parse('{'); } catch (e) { return e.constructor.constructor('return this')(); } })()",
    "(() => { try { console.log({ toJSON() { throw globalThis; } }); } catch (e) { return e; } })()",
    "(() => { Error.prepareStackTrace = (e, s) => s; const s = new Error().stack; return s?.[0]?.getThis?.() ?? s; })()",
    "(() => { Error.stackTraceLimit = Infinity; return new Error().stack; })()",
    "(() => { let got; Error.prepareStackTrace = (e, s) => { got = s.map((f) => f.getFunction?.() ?? f); }; new Error().stack; return got; })()",
    "await import('x').catch((e) => e.constructor.constructor('return this')())",
    "await new Promise((r, no) => no(globalThis)).catch((e) => e)",
    "await ({ then(r) { r(arguments.callee?.caller ?? this.constructor.constructor('return this')()); } })",
    "(() => { class P extends Promise { static get [Symbol.species]() { return function (f) { f((x) => x, (x) => x); }; } } return P.resolve(1).then((x) => x); })()",
    "(() => { Array.prototype[Symbol.iterator] = function* () { yield globalThis; }; return [1]; })()",
    "(() => { Object.prototype.toJSON = function () { return globalThis.constructor('return this')(); }; return {}; })()",
    "(() => { Object.prototype.get = () => globalThis; return Object.getOwnPropertyDescriptor({}, 'x'); })()",
    "Object.getOwnPropertyDescriptor(globalThis, 'console').value",
    "globalThis.__lookupGetter__?.('__proto__').call(console)",
    "Object.prototype.__defineGetter__?.call(globalThis, 'host', () => Function('return this')()), globalThis.host",
    "(() => { try { return (function f() { return f.caller; })(); } catch { return null; } })()",
    "(() => { try { return arguments.callee; } catch { return null; } })()",
    "eval('import.meta')",
    "eval('new.target')",
    "await import('std')",
    "await import('os')",
    "await import('qjs:std')",
    "await import('qjs:os')",
    "await import('bjson')",
    "await import('fs')",
    "await import('node:fs')",
    "await import('node:child_process')",
    "await import('node:vm')",
    "await import('file:///etc/passwd')",
    "await import('/etc/passwd')",
    "await import('./sluice')",
    "await import('../../../../etc/passwd.js')",
    "await import('data:text/javascript,export default 1')",
    "await import('http://127.0.0.1:PORT/x.js')",
    "await import('libc.so')",
    "await import('/tmp/x.so')",
    "await import('env', { with: { type: 'json' } })",
    "require('fs')",
    "require('child_process')",
    "module.require('fs')",
    "module.constructor._load('fs')",
    "process.mainModule.require('fs')",
    "process.binding('fs')",
    "process.dlopen",
    "globalThis.process",
    "std",
    "os",
    "bjson.read(new ArrayBuffer(64), 0, 64, 1)",
    "Deno",
    "Bun",
    "new Worker('data:text/javascript,1')",
    "WebAssembly.instantiate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]), { env: globalThis })",
    "new SharedArrayBuffer(8)",
    "Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 1e9)",
];

/// What is tried with what a way gives: in all the words that hosts have for it.
const ACTS: [(&str, &str); 5] = [
    (
        "read a file",
        "(h) => [h.readFileSync, h.readFile, h.loadFile, h.load, h.loadScript, h.read, h.readTextFileSync, h.fs?.readFileSync, h.std?.loadFile, h.Deno?.readTextFileSync, h.require?.('fs')?.readFileSync, h.process?.mainModule?.require?.('fs')?.readFileSync, h.process?.binding?.('fs')?.open, h.open, h.std?.open, h.os?.open, h.file].filter((f) => typeof f === 'function').map((f) => { try { const r = f.call(h, FILE, 'utf8'); return r?.readAsString?.() ?? r; } catch (e) { return String(e); } })",
    ),
    (
        "write a file",
        "(h) => [h.writeFileSync, h.writeTextFileSync, h.fs?.writeFileSync, h.require?.('fs')?.writeFileSync, h.std?.open, h.open, h.os?.open, h.os?.mkdir, h.mkdirSync, h.symlinkSync, h.os?.symlink, h.Deno?.writeTextFileSync, h.appendFileSync].filter((f) => typeof f === 'function').map((f) => { try { const r = f.call(h, MADE, 'w'); r?.puts?.('x'); r?.close?.(); return typeof r; } catch (e) { return String(e); } })",
    ),
    (
        "read the environment",
        "(h) => [h.env, h.process?.env, h.std?.getenviron?.(), h.getenviron?.(), h.environ?.(), h.getenv?.('PATH'), h.std?.getenv?.('PATH'), h.Deno?.env?.get?.('CANARY'), h.Bun?.env, h.scriptArgs, h.process?.argv, h.PATH, h.require?.('process')?.env, h.__ENV]",
    ),
    (
        "connect",
        "(h) => [h.fetch, h.XMLHttpRequest, h.WebSocket, h.EventSource, h.net?.connect, h.connect, h.http?.get, h.require?.('http')?.get, h.require?.('net')?.connect, h.os?.connect, h.Deno?.connect, h.navigator?.sendBeacon, h.importScripts, h.std?.urlGet, h.urlGet].filter((f) => typeof f === 'function').map((f) => { try { return String(f.call(h, 'http://127.0.0.1:PORT/')); } catch { try { return String(new f('http://127.0.0.1:PORT/')); } catch (e) { return String(e); } } })",
    ),
    (
        "start a process",
        "(h) => [h.exec, h.execSync, h.spawn, h.spawnSync, h.system, h.popen, h.os?.exec, h.std?.popen, h.std?.exit, h.exit, h.quit, h.require?.('child_process')?.execSync, h.process?.kill, h.process?.exit, h.Deno?.run, h.Bun?.spawnSync, h.os?.kill, h.fork, h.eval].filter((f) => typeof f === 'function').map((f) => { try { return String(f.call(h, 'touch ' + MADE)); } catch (e) { return String(e); } })",
    ),
];

#[tokio::test]
async fn no_way_out_reaches_a_canary() {
    let folder = std::env::temp_dir().join(format!("sluice-escape-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("there is room");
    let (file, made) = (folder.join("canary"), folder.join("made"));
    fs::write(&file, SECRET).expect("there is room");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("it is a socket");
    let port = listener
        .local_addr()
        .expect("it listens")
        .port()
        .to_string();
    let environment = std::env::var("PATH").expect("a test has one");
    let processes = Processes::new(PathBuf::from(env!("CARGO_BIN_EXE_sluice")), 2);
    let mut inputs = 0;
    for way in WAYS {
        for (what, act) in ACTS {
            let code = format!(
                "const FILE = {:?}, MADE = {:?};\nconst host = {way};\nreturn [({act})(host), typeof host];",
                file.display().to_string(),
                made.display().to_string(),
            );
            let code = code.replace("PORT", &port);
            let ran = processes
                .run(Script {
                    code,
                    input: json!({"a": 1}),
                })
                .await;
            let told = format!("{ran:?}");
            assert!(!told.contains(SECRET), "{way} can {what}: {told}");
            assert!(!told.contains(&environment), "{way} can {what}: {told}");
            assert!(!told.contains("root:"), "{way} can {what}: {told}");
            // Nothing brought the process down, or made it wait.
            let is_lost = ran
                .result
                .is_err_and(|broke| broke.may_retry || broke.message.contains("longer"));
            assert!(!is_lost, "{way} to {what}: {told}");
            inputs += 1;
        }
    }
    assert!(inputs >= 300, "{inputs}");
    assert!(!made.exists(), "something was written");
    assert!(listener.accept().is_err(), "something connected");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), SECRET);
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 2 - 1);
    fs::remove_dir_all(&folder).expect("it is ours");
    // As the hostile suite reports: what got through has failed this test.
    if let Ok(report) = std::env::var("SLUICE_HOSTILE_REPORT") {
        let file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(report);
        let line = format!("class=code-escape inputs={inputs} through=0\n");
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the report can be written");
    }
}
