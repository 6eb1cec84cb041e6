//! Which runs are traced, by the standard settings of OpenTelemetry.

use engine::trace::{Caller, Trace};

use super::Refusal;

/// Decides by the run alone, so that every process decides alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampler {
    /// A run whose caller is in a trace is traced when the caller is.
    follows_caller: bool,
    /// The part of the other runs that is traced.
    ratio: f64,
}

impl Sampler {
    /// Reads `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
    ///
    /// # Errors
    /// When either cannot be used.
    pub(super) fn read(name: Option<&str>, ratio: Option<&str>) -> Result<Self, Refusal> {
        let name = name.unwrap_or("parentbased_always_on");
        let rest = name.strip_prefix("parentbased_");
        let ratio = match rest.unwrap_or(name) {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => {
                let text = ratio.unwrap_or("1").trim();
                let ratio: Option<f64> = text.parse().ok();
                ratio
                    .filter(|ratio| (0.0..=1.0).contains(ratio))
                    .ok_or_else(|| Refusal::Ratio(text.to_owned()))?
            }
            _ => return Err(Refusal::Sampler(name.to_owned())),
        };
        Ok(Self {
            follows_caller: rest.is_some(),
            ratio,
        })
    }

    /// Returns whether a run is traced.
    pub(super) fn takes(self, trace: &Trace, caller: Option<Caller>) -> bool {
        match caller {
            Some(caller) if self.follows_caller => caller.is_sampled,
            _ => share(trace.id) < self.ratio,
        }
    }
}

/// Returns where a trace stands between 0 and 1, by its last 4 bytes: before them, the id of a run
/// that has no caller holds a time and a counter.
fn share(id: [u8; 16]) -> f64 {
    let [.., a, b, c, d] = id;
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use domain::RunId;
    use engine::trace::{Caller, Trace};
    use uuid::Uuid;

    use super::{Refusal, Sampler};

    fn taken(sampler: Sampler, caller: Option<Caller>) -> usize {
        let runs = (0..1_000).map(|_| RunId(Uuid::now_v7()));
        runs.filter(|run| sampler.takes(&Trace::new(*run, None, None), caller))
            .count()
    }

    #[test]
    fn the_standard_samplers_take_what_they_say() {
        let read = |name, ratio| Sampler::read(name, ratio).expect("it is one");
        assert_eq!(taken(read(None, None), None), 1_000);
        assert_eq!(taken(read(Some("always_off"), None), None), 0);
        let some = taken(read(Some("traceidratio"), Some("0.25")), None);
        assert!((150..350).contains(&some), "{some}");
        let caller = |is_sampled| {
            Some(Caller {
                trace: [1; 16],
                span: [1; 8],
                is_sampled,
            })
        };
        let follows = read(Some("parentbased_traceidratio"), Some("0"));
        assert_eq!(taken(follows, caller(true)), 1_000);
        assert_eq!(taken(follows, None), 0);
        assert_eq!(taken(read(None, None), caller(false)), 0);
        assert_eq!(taken(read(Some("always_on"), None), caller(false)), 1_000);
    }

    #[test]
    fn what_is_no_sampler_is_refused() {
        let sampler = Sampler::read(Some("jaeger_remote"), None);
        assert!(matches!(sampler, Err(Refusal::Sampler(_))));
        for ratio in ["2", "-1", "half", "NaN"] {
            let sampler = Sampler::read(Some("traceidratio"), Some(ratio));
            assert!(matches!(sampler, Err(Refusal::Ratio(_))), "{ratio}");
        }
    }
}
