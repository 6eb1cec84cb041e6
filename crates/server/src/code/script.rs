//! Runs a piece of JavaScript in QuickJS. Whatever it gets is gone with the process.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use domain::code::{CODE_BYTES, Console, Level, MEMORY, STACK, VALUE_BYTES};
use rquickjs::context::{EvalOptions, intrinsic};
use rquickjs::function::Rest;
use rquickjs::promise::PromiseState;
use rquickjs::{Context, Ctx, Exception, Function, Object, Runtime, Value};

use super::TIME_LIMIT;
use super::protocol::{Came, Job, Reply};

/// What the code is called in stacks.
const NAME: &str = "code";
/// What stands before the code, in a line of its own; so lines are counted from the second.
const HEAD: &str = "(async function (input) {\n";
const TAIL: &str = "\n})";
/// Longest message of an error, in bytes.
const MESSAGE_BYTES: usize = 2_000;
/// What an exception says for which there was no memory or no text.
const SPEECHLESS: &str = "Something was thrown that says nothing.";

/// The part of the language that there is: no clock but `Date`, no shared memory, no modules, no
/// bytecode.
type Language = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
    intrinsic::WeakRef,
);

/// Runs a job; returns what became of it, and the result as JSON when there is one.
pub(super) fn run(job: Job) -> (Reply, String) {
    let console = Rc::new(RefCell::new(Console::default()));
    let done = evaluate(job, &console);
    let console = console.take().into_lines();
    match done {
        Ok(value) => {
            let came = Came::Done;
            (Reply { came, console }, value)
        }
        Err(came) => (Reply { came, console }, String::new()),
    }
}

fn evaluate(job: Job, console: &Rc<RefCell<Console>>) -> Result<String, Came> {
    let runtime = Runtime::new().map_err(|_| Came::OutOfMemory)?;
    runtime.set_memory_limit(MEMORY);
    runtime.set_max_stack_size(STACK);
    let deadline = Instant::now() + TIME_LIMIT.min(Duration::from_millis(job.time_ms));
    let is_late = Rc::new(Cell::new(false));
    let late = Rc::clone(&is_late);
    runtime.set_interrupt_handler(Some(Box::new(move || {
        late.set(late.get() || Instant::now() >= deadline);
        late.get()
    })));
    let context = Context::custom::<Language>(&runtime).map_err(|_| Came::OutOfMemory)?;
    let done = context.with(|ctx| {
        let done = in_context(&ctx, job, console);
        if is_late.get() {
            return Err(Came::OutOfTime);
        }
        done
    });
    // The process ends now. To free one thing after the other would only give what the code left
    // behind another chance to go wrong.
    std::mem::forget((context, runtime));
    done
}

fn in_context(ctx: &Ctx<'_>, job: Job, console: &Rc<RefCell<Console>>) -> Result<String, Came> {
    let lines = job.code.lines().count().max(1);
    let caught = |error| caught(ctx, error, lines);
    set_up(ctx, console).map_err(caught)?;
    if job.code.len() > CODE_BYTES {
        return Err(Came::TooLarge);
    }
    let input = serde_json::to_string(&job.input).map_err(|error| Came::NoJson {
        message: error.to_string(),
    })?;
    let input = ctx.json_parse(input).map_err(caught)?;
    let mut options = EvalOptions::default();
    options.filename = Some(NAME.to_owned());
    let source = format!("{HEAD}{}{TAIL}", job.code);
    let function: Value = ctx.eval_with_options(source, options).map_err(caught)?;
    let promise = match function.as_function() {
        Some(function) => function.call::<_, Value>((input,)).map_err(caught)?,
        None => function,
    };
    let Some(promise) = promise.into_promise() else {
        // Such as `}); (() => {`: it leaves the function that it is the body of.
        let message = "A bracket is closed that was not opened.".to_owned();
        return Err(Came::Threw { message, at: None });
    };
    while promise.state() == PromiseState::Pending {
        if !ctx.execute_pending_job() {
            return Err(Came::Stuck);
        }
    }
    let result: Value = match promise.result() {
        Some(result) => result.map_err(caught)?,
        None => return Err(Came::Stuck),
    };
    let json = ctx.json_stringify(result).map_err(|error| {
        match caught(error) {
            // What the value says of itself, such as that it holds itself.
            Came::Threw { message, at: None } => Came::NoJson { message },
            Came::OutOfStack { at: None } => Came::NoJson {
                message: "it is nested too deeply".to_owned(),
            },
            other => other,
        }
    })?;
    let Some(json) = json else {
        return Ok("null".to_owned());
    };
    let json = json.to_string().map_err(caught)?;
    if json.len() > VALUE_BYTES {
        return Err(Came::TooLarge);
    }
    Ok(json)
}

/// Makes the console, and takes away what is of no use here.
fn set_up<'js>(ctx: &Ctx<'js>, console: &Rc<RefCell<Console>>) -> rquickjs::Result<()> {
    let globals = ctx.globals();
    for name in ["Atomics", "SharedArrayBuffer"] {
        globals.remove(name)?;
    }
    let object = Object::new(ctx.clone())?;
    for (name, level) in [
        ("debug", Level::Debug),
        ("log", Level::Info),
        ("info", Level::Info),
        ("warn", Level::Warning),
        ("error", Level::Error),
    ] {
        let console = Rc::clone(console);
        let write = move |ctx: Ctx<'js>, values: Rest<Value<'js>>| {
            let room = console.borrow().room();
            let mut text = String::new();
            for value in values.0 {
                // What would be cut off is not made: it could be very long, and call the code.
                if text.len() >= room {
                    break;
                }
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(&shown(&ctx, value));
            }
            console.borrow_mut().write(level, text);
        };
        object.set(name, Function::new(ctx.clone(), write)?)?;
    }
    globals.set("console", object)
}

/// Returns a value as the console shows it: texts as they are, errors with their place, all else
/// as JSON where it has that.
fn shown<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> String {
    if let Some(text) = value.as_string() {
        return text.to_string().unwrap_or_default();
    }
    if value.is_undefined() {
        return "undefined".to_owned();
    }
    if let Some(exception) = value.as_exception() {
        return said(exception);
    }
    if value.is_function() {
        return "[function]".to_owned();
    }
    if let Ok(Some(json)) = ctx.json_stringify(value.clone()) {
        return json.to_string().unwrap_or_default();
    }
    // Such as a BigInt, or an object that holds itself. What was thrown then is of no interest.
    ctx.catch();
    let text = value.get::<rquickjs::Coerced<String>>();
    if text.is_err() {
        ctx.catch();
    }
    text.map_or_else(|_| format!("[{}]", value.type_name()), |text| text.0)
}

/// Returns what an exception says: its kind and its message.
fn said(exception: &Exception<'_>) -> String {
    let name: Option<String> = exception.as_object().get("name").ok();
    let message = exception.message().unwrap_or_default();
    match name.filter(|name| !name.is_empty()) {
        Some(name) if message.is_empty() => name,
        Some(name) => format!("{name}: {message}"),
        None if message.is_empty() => SPEECHLESS.to_owned(),
        None => message,
    }
}

/// Returns what went wrong.
fn caught(ctx: &Ctx<'_>, error: rquickjs::Error, lines: usize) -> Came {
    if !error.is_exception() {
        let message = match error {
            rquickjs::Error::InvalidString(_) => "The code holds the character U+0000.".to_owned(),
            other => other.to_string(),
        };
        return Came::Threw { message, at: None };
    }
    let thrown = ctx.catch();
    if thrown.is_null() {
        // A full memory may have no room for the error that says so.
        let message = "null was thrown: by the code, or because its memory was full.".to_owned();
        return Came::Threw { message, at: None };
    }
    let Some(exception) = thrown.as_exception() else {
        let message = cut(shown(ctx, thrown));
        return Came::Threw { message, at: None };
    };
    let at = exception.stack().and_then(|stack| place(&stack, lines));
    let message = said(exception);
    match message.as_str() {
        "InternalError: out of memory" => Came::OutOfMemory,
        "RangeError: Maximum call stack size exceeded" | "InternalError: stack overflow" => {
            Came::OutOfStack { at }
        }
        _ => Came::Threw {
            message: cut(message),
            at,
        },
    }
}

pub(super) fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        message.push('…');
    }
    if message.is_empty() {
        SPEECHLESS.to_owned()
    } else {
        message
    }
}

/// Returns the line and the column of the innermost place in the code that a stack names, as the
/// writer of the code counts them.
fn place(stack: &str, lines: usize) -> Option<(u32, u32)> {
    stack.lines().find_map(|line| {
        let at = line.rsplit([' ', '(']).next()?.trim_end_matches(')');
        let mut parts = at.strip_prefix(NAME)?.strip_prefix(':')?.split(':');
        let line: u32 = parts.next()?.parse().ok()?;
        let column: u32 = parts.next()?.parse().ok()?;
        let last = u32::try_from(lines).unwrap_or(u32::MAX);
        // The end of the code is found missing only after its last line.
        Some((line.saturating_sub(1).clamp(1, last), column))
    })
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_innermost_place_in_the_code_is_told_in_its_own_lines() {
        let stack = "    at parse (native)\n    at <anonymous> (code:3:14)\n    at <anonymous> (code:9:1)\n";
        assert_eq!(place(stack, 20), Some((2, 14)));
        assert_eq!(place("    at code:4:1", 20), Some((3, 1)));
        assert_eq!(place("    at code:9:1", 2), Some((2, 1)));
        for nowhere in ["", "at native", "code", "code:x:1", "other:1:2"] {
            assert_eq!(place(nowhere, 5), None, "{nowhere}");
        }
    }
}
