//! When a schedule will fire next.

use std::time::Duration;

use domain::Timestamp;
use domain::schedule::{check_cron, is_time_zone};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design::time::{Ago, in_zone};
use crate::fault::Fault;

/// How long typing must rest before the server is asked, in milliseconds.
const REST_MS: u64 = 300;
/// What is said above the times at which an integration is started.
pub(super) const FIRES: &str = "Fires next";
/// What is said above the times at which an address is polled.
pub(crate) const POLLS: &str = "Polls next";

/// The next five times at which a schedule fires, asked for as it is typed.
#[component]
pub fn NextFires(
    /// The five cron fields.
    #[prop(into)]
    cron: Signal<String>,
    /// The time zone's name.
    #[prop(into)]
    time_zone: Signal<String>,
    /// What is said above them.
    #[prop(default = FIRES)]
    title: &'static str,
) -> impl IntoView {
    let answer = RwSignal::new(None::<Result<Vec<Timestamp>, Fault>>);
    let round = StoredValue::new(0_u32);
    Effect::new(move || {
        let (cron, time_zone) = (cron.get(), time_zone.get());
        let this = round.get_value() + 1;
        round.set_value(this);
        if check_cron(&cron).is_err() || !is_time_zone(&time_zone) {
            answer.set(None);
            return;
        }
        let ask = move || {
            if round.try_get_value() != Some(this) {
                return;
            }
            spawn_local(async move {
                let fires = api::next_fires(cron, time_zone).await;
                if round.try_get_value() == Some(this) {
                    answer.try_set(Some(fires));
                }
            });
        };
        set_timeout(ask, Duration::from_millis(REST_MS));
    });
    move || {
        let fires = answer.get()?;
        Some(match fires {
            Ok(fires) => list(title, &fires, &time_zone.get()),
            Err(fault) => view! { <p class="field-problem">{fault.to_string()}</p> }.into_any(),
        })
    }
}

/// Draws times at which a schedule fires, under a title.
pub(super) fn list(title: &'static str, fires: &[Timestamp], time_zone: &str) -> AnyView {
    if fires.is_empty() {
        return view! { <p class="field-problem">"This schedule never fires."</p> }.into_any();
    }
    let own = crate::design::time::reader_zone();
    let note = (own != time_zone).then(|| format!("Times in {time_zone}; yours is {own}."));
    let line = |at: &Timestamp| {
        view! {
            <li>
                <span>{in_zone(*at, time_zone)}</span>
                <span class="quiet-text">
                    <Ago at=*at />
                </span>
            </li>
        }
    };
    view! {
        <div class="next-fires">
            <p>{title}</p>
            <ol>{fires.iter().map(line).collect::<Vec<_>>()}</ol>
            <p class="field-help">{note}</p>
        </div>
    }
    .into_any()
}
