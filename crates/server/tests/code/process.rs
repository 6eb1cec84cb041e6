//! The process in which code runs: how it is confined, and what becomes of it.

use std::fs;
use std::time::{Duration, Instant};

use engine::port::{Sandbox, Script};
use serde_json::json;
use server::code::Processes;
use tokio::process::Command;

use super::{processes, value};

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn script(code: &str) -> Script {
    Script {
        code: code.to_owned(),
        input: json!({}),
    }
}

/// Returns the processes of the given code: it is not in their command lines, so a sandbox of its
/// own tells which they are.
fn started_by(us: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("this is Linux");
    let ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains(us) && line.ends_with("run-code\0")
    })
    .collect()
}

/// A sandbox whose processes are told from those of other tests by the path of their binary.
fn own(name: &str) -> (Processes, String) {
    let folder = std::env::temp_dir().join(format!("sluice-code-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("there is room");
    let program = folder.join("sluice");
    let _ = fs::remove_file(&program);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sluice"), &program).expect("there is room");
    let path = program.display().to_string();
    (Processes::new(program, 2), path)
}

/// Looks again and again until there is something.
async fn until<T>(what: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_process_is_confined_before_it_reads_code() {
    let (processes, path) = own("confined");
    let running = tokio::spawn(async move { processes.run(script("for (;;);")).await });
    let status = until(|| {
        let id = *started_by(&path).first()?;
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let state = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().to_owned())
        };
        // It begins without, and takes it away from itself.
        let filter = state("Seccomp:").filter(|filter| filter == "2")?;
        Some((id, filter, state("NoNewPrivs:")?, state("Threads:")?))
    })
    .await;
    assert_eq!(status.2, "1");
    assert_eq!(status.3, "1");
    let limits = fs::read_to_string(format!("/proc/{}/limits", status.0));
    if let Ok(limits) = limits {
        for limit in [
            "Max open files",
            "Max processes",
            "Max file size",
            "Max core file size",
        ] {
            let line = limits
                .lines()
                .find(|line| line.starts_with(limit))
                .expect("it is listed");
            let values: Vec<&str> = line[limit.len()..].split_whitespace().take(2).collect();
            assert_eq!(values, ["0", "0"], "{line}");
        }
    }
    // Only root may look at that of a process that hides itself.
    if let Ok(environment) = fs::read(format!("/proc/{}/environ", status.0)) {
        assert_eq!(environment, b"");
    }
    running.abort();
}

#[tokio::test]
async fn a_process_that_is_killed_fails_its_step_for_now_and_nothing_else() {
    let (processes, path) = own("killed");
    let of_test = processes.clone();
    let running = tokio::spawn(async move { processes.run(script("for (;;);")).await });
    let id = until(|| started_by(&path).first().copied()).await;
    let killed = Command::new("kill")
        .args(["-9", &id.to_string()])
        .status()
        .await;
    assert!(killed.is_ok_and(|status| status.success()));
    let broke = running
        .await
        .expect("it does not panic")
        .result
        .expect_err("it was killed");
    assert!(broke.may_retry);
    assert_eq!(
        broke.message,
        "The process in which the code ran was ended by signal 9."
    );
    assert_eq!(of_test.run(script("return 1;")).await.result, Ok(json!(1)));
}

#[tokio::test]
async fn a_process_ends_when_nobody_waits_for_it_any_more() {
    let (processes, path) = own("dropped");
    let running = tokio::spawn(async move { processes.run(script("for (;;);")).await });
    until(|| started_by(&path).first().copied()).await;
    running.abort();
    until(|| started_by(&path).is_empty().then_some(())).await;
}

#[tokio::test]
async fn no_process_is_left_behind() {
    let (processes, path) = own("left");
    let processes = processes.within(Duration::from_secs(1));
    for code in [
        "return 1;",
        "throw 1;",
        "for (;;);",
        "return 'x'.repeat(6e6);",
    ] {
        let _ = processes.run(script(code)).await;
        assert!(started_by(&path).is_empty(), "{code}");
    }
}

#[tokio::test]
async fn a_binary_that_cannot_be_started_or_says_nonsense_is_told() {
    for program in ["/nowhere/sluice", "/bin/echo", "/bin/true", "/bin/false"] {
        let processes = Processes::new(program.into(), 1);
        let ran = processes.run(script("return 1;")).await;
        let broke = ran.result.expect_err("it is no sluice");
        assert!(broke.may_retry, "{program}: {broke:?}");
    }
}

/// All that code can find, with all its properties, from the global object on; and what is different
/// each time in a world that was there before.
const WORLD: &str = r#"
    const seen = new Map(), lines = [];
    const look = (value, path) => {
        if (value === null || !["object", "function"].includes(typeof value)) {
            return `${typeof value} ${typeof value === "symbol" ? String(value) : value}`;
        }
        if (seen.has(value)) return seen.get(value);
        seen.set(value, path);
        lines.push(`${path} ${Object.isExtensible(value)}`);
        for (const key of Reflect.ownKeys(value)) {
            const one = Reflect.getOwnPropertyDescriptor(value, key);
            const at = `${path}.${String(key)}`;
            const flags = `${one.configurable}${one.enumerable}${one.writable}`;
            const parts = ["value", "get", "set"].map((part) => look(one[part], `${at}:${part}`));
            lines.push(`${at} ${flags} ${parts.join(" ")}`);
        }
        look(Object.getPrototypeOf(value), `${path}.[proto]`);
        return path;
    };
    look(globalThis, "global"); look(input, "input");
    return lines;
"#;

/// Changes everything that it can reach.
const VANDAL: &str = r#"
    globalThis.left = "behind"; var also = 1; eval("var more = 2");
    const seen = new Set();
    const spoil = (value) => {
        if (value === null || !["object", "function"].includes(typeof value) || seen.has(value)) return;
        seen.add(value);
        for (const key of Reflect.ownKeys(value)) {
            try { spoil(value[key]); } catch {}
            if (value === globalThis && ["Reflect", "Object", "Set", "Symbol"].includes(key)) continue;
            try { Object.defineProperty(value, key, { value: () => "spoiled" }); } catch {}
            try { value[key] = "spoiled"; } catch {}
        }
        try { value.spoiled = 1; } catch {}
    };
    spoil(Array.prototype.map); spoil(Promise); spoil(console); spoil(JSON); spoil(globalThis);
"#;

#[tokio::test]
async fn the_next_job_sees_a_clean_world() {
    let before = value(WORLD).await;
    assert!(before.as_array().is_some_and(|lines| lines.len() > 1_000));
    let processes = processes();
    for _ in 0..3 {
        let _ = processes.run(script(VANDAL)).await;
        let after = processes.run(script(WORLD)).await.result;
        assert_eq!(after.as_ref(), Ok(&before));
    }
    // Nothing tells how long the process has been there.
    assert_eq!(
        value("return typeof performance;").await,
        json!("undefined")
    );
}
