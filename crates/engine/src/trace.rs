//! The trace of a run, as W3C Trace Context names it: which spans it has follows from the run's
//! ids alone, so that a run that is taken over, waits for days or is told of twice keeps its trace,
//! and nothing about it has to be stored.

use domain::canonical::sha256;
use domain::run::StepPath;
use domain::{RunId, Timestamp};
use serde_json::Value;

/// The header by which a caller says in which trace it calls (W3C Trace Context, 3.2).
const HEADER: &str = "traceparent";

/// The trace of a run that is traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    run: RunId,
    /// Its 16 bytes: those of the caller's trace, else those of the run's id.
    pub id: [u8; 16],
    /// The span of the whole run; of one that was resumed, since then.
    pub root: [u8; 8],
    /// The caller's span.
    pub parent: Option<[u8; 8]>,
}

/// What the caller of a webhook says about its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its trace.
    pub trace: [u8; 16],
    /// The span that calls.
    pub span: [u8; 8],
    /// Whether it records its own spans.
    pub is_sampled: bool,
}

impl Caller {
    /// Reads the header `traceparent` of what a trigger gave; `None` without a valid one.
    pub fn of(payload: &Value) -> Option<Self> {
        let text = payload.get("headers")?.get(HEADER)?.as_str()?;
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let [version]: [u8; 1] = bytes(version)?;
        let [flags]: [u8; 1] = bytes(flags)?;
        // A later version may say more behind the flags, this one must not.
        if version == 0xff || version == 0 && parts.next().is_some() {
            return None;
        }
        let caller = Self {
            trace: bytes(trace)?,
            span: bytes(span)?,
            is_sampled: flags & 1 == 1,
        };
        (caller.trace != [0; 16] && caller.span != [0; 8]).then_some(caller)
    }
}

impl Trace {
    /// Returns the trace of a run, in that of its caller where there is one.
    pub fn new(run: RunId, resumed_at: Option<Timestamp>, caller: Option<Caller>) -> Self {
        let since = resumed_at.map_or(0, |at| at.0);
        Self {
            run,
            id: caller.map_or(*run.0.as_bytes(), |caller| caller.trace),
            root: span(&format!("{run} since {since}")),
            parent: caller.map(|caller| caller.span),
        }
    }

    /// Returns the span of a step, or of one round of it.
    pub fn step(&self, path: &StepPath) -> [u8; 8] {
        span(&format!("{} {path}", self.run))
    }

    /// Returns the `traceparent` of a request that a step sends.
    pub(crate) fn header(&self, path: &StepPath) -> String {
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        format!("00-{}-{}-01", hex(&self.id), hex(&self.step(path)))
    }
}

/// Returns a span's id; none is all zero, which means that there is no span.
fn span(of: &str) -> [u8; 8] {
    let digest = sha256(of.as_bytes());
    let id = digest.get(..16).and_then(bytes).unwrap_or_default();
    if id == [0; 8] { [1; 8] } else { id }
}

/// Reads bytes of lower-case hexadecimal digits.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut read = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in read.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use domain::run::StepPath;
    use domain::{RunId, StepId, Timestamp};
    use serde_json::json;
    use uuid::Uuid;

    use super::{Caller, Trace};

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn caller(header: &str) -> Option<Caller> {
        Caller::of(&json!({"headers": {"traceparent": header}}))
    }

    #[test]
    fn a_run_joins_the_trace_of_its_caller_and_has_its_own_without() {
        let run = RunId(Uuid::from_u128(7));
        let given = caller(GIVEN).expect("it is the example of the standard");
        let joined = Trace::new(run, None, Some(given));
        assert_eq!((joined.id, joined.parent), (given.trace, Some(given.span)));
        let own = Trace::new(run, None, None);
        assert_eq!((own.id, own.parent), (*run.0.as_bytes(), None));
        assert_eq!(own.root, joined.root);
    }

    #[test]
    fn what_is_not_valid_by_the_standard_is_no_caller() {
        for wrong in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-ä0af7651916cd43dd8448eb211c8031-b7ad6b7169203331-01",
        ] {
            assert_eq!(caller(wrong), None, "{wrong}");
        }
        assert_eq!(Caller::of(&json!({"headers": "none"})), None);
        let later = caller("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more");
        assert!(later.is_some_and(|caller| !caller.is_sampled));
    }

    #[test]
    fn spans_are_the_same_each_time_and_differ_from_each_other() {
        let run = RunId(Uuid::from_u128(7));
        let path = |rounds: &[u32]| StepPath {
            step: StepId(Uuid::from_u128(1)),
            rounds: rounds.to_vec(),
        };
        let trace = Trace::new(run, None, None);
        assert_eq!(trace, Trace::new(run, None, None));
        let resumed = Trace::new(run, Some(Timestamp(5)), None);
        let spans = [
            trace.root,
            resumed.root,
            trace.step(&path(&[])),
            trace.step(&path(&[0])),
            trace.step(&path(&[1])),
        ];
        let different: std::collections::BTreeSet<_> = spans.into_iter().collect();
        assert_eq!(different.len(), spans.len());
        assert_eq!(resumed.step(&path(&[1])), trace.step(&path(&[1])));
        let header = trace.header(&path(&[1]));
        let read = caller(&header).expect("a step's header is valid");
        assert_eq!((read.trace, read.span), (trace.id, trace.step(&path(&[1]))));
    }
}
