//! Components that are written by hand, so that each does one thing.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a component may import, and where its memory and what it gives are.
const FRAME: &str = r#"
  (import "sluice:connector/host@1.0.0" "send" (func $send
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "sluice:connector/host@1.0.0" "sign" (func $sign (param i32 i32 i32 i32 i32)))
  (import "sluice:connector/host@1.0.0" "now" (func $now (result i64)))
  (import "sluice:connector/host@1.0.0" "log" (func $log (param i32 i32 i32)))
  (global $next (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (block $enough (loop $grow
      (br_if $enough (i32.le_u (global.get $next) (i32.shl (memory.size) (i32.const 16))))
      (drop (memory.grow (i32.const 16)))
      (br $grow)))
    (local.get $at))
  (func $gives (param $ok i32) (param $at i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 16) (i32.eqz (local.get $ok)))
    (i32.store (i32.const 20) (local.get $at))
    (i32.store (i32.const 24) (local.get $length))
    (i32.const 16))
  (data (i32.const 64) "{\"a\":1}")
"#;

/// Returns a component whose `run` has this body; `memory` is how many pages it begins with.
pub(crate) fn of_memory(memory: &str, parts: &str, body: &str) -> Vec<u8> {
    let text = format!(
        "(module {FRAME} (memory (export \"memory\") {memory}) {parts}
          (func (export \"run\") (param i32 i32 i32 i32) (result i32) {body}))"
    );
    embedded(&text)
}

/// Returns a component with further parts, whose `run` has this body.
pub(crate) fn with(parts: &str, body: &str) -> Vec<u8> {
    of_memory("2", parts, body)
}

/// Returns a component whose `run` has this body.
pub(crate) fn guest(body: &str) -> Vec<u8> {
    with("", body)
}

/// Returns one that gives `{"a":1}`.
pub(crate) fn good() -> Vec<u8> {
    guest(GOOD)
}

/// Gives `{"a":1}`.
pub(crate) const GOOD: &str = "(call $gives (i32.const 1) (i32.const 64) (i32.const 7))";

/// Returns a module, with what it imports and exports written into it.
pub(crate) fn embedded(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let mut resolve = Resolve::default();
    let wit = include_str!("../../wit/connector.wit");
    let package = resolve
        .push_str("connector.wit", wit)
        .expect("it is an interface");
    let world = resolve
        .select_world(&[package], Some("connector"))
        .expect("it has the world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("it can be embedded");
    module
}
