//! Addresses within the page: the tab, what is compared, a step, a thread.

use domain::ThreadId;
use domain::change::Target;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};
use wasm_bindgen::JsCast;

use super::compare::{Point, Span};
use super::spot;

/// For how many frames something that is to be drawn is waited for.
const FRAMES: u32 = 180;

/// The tabs of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    /// What the draft changes.
    Changes,
    /// What was said and decided.
    Conversation,
    /// The saves.
    Revisions,
}

impl Tab {
    /// All tabs, with their key and name.
    pub(super) const ALL: [(Tab, &str, &str); 3] = [
        (Tab::Changes, "changes", "Changes"),
        (Tab::Conversation, "conversation", "Conversation"),
        (Tab::Revisions, "revisions", "Revisions"),
    ];

    const fn key(self) -> &'static str {
        match self {
            Tab::Changes => "changes",
            Tab::Conversation => "conversation",
            Tab::Revisions => "revisions",
        }
    }
}

/// Goes to another address of this site.
type Go = Box<dyn Fn(&str, NavigateOptions) + Send + Sync>;

/// What the address says. A handle.
#[derive(Clone, Copy)]
pub(super) struct Links {
    path: StoredValue<String>,
    go: StoredValue<Go>,
    /// The tab.
    pub(super) tab: Memo<Tab>,
    /// What is compared.
    pub(super) span: Memo<Span>,
    /// The thread that is pointed at.
    pub(super) thread: Memo<Option<ThreadId>>,
    /// The step, trigger or settings that is pointed at.
    pub(super) target: Memo<Option<Target>>,
}

impl Links {
    /// Reads the address of the page that is shown at `path`.
    pub(super) fn at(path: String) -> Self {
        let query = use_query_map();
        let text = move |name: &'static str| query.with(|query| query.get(name));
        Self {
            path: StoredValue::new(path),
            go: StoredValue::new(Box::new(use_navigate())),
            tab: Memo::new(move |_| {
                let key = text("tab");
                let found = Tab::ALL.iter().find(|(_, k, _)| Some(*k) == key.as_deref());
                found.map_or(Tab::Changes, |(tab, ..)| *tab)
            }),
            span: Memo::new(move |_| Span::read(text("from").as_deref(), text("to").as_deref())),
            thread: Memo::new(move |_| text("thread").and_then(|id| id.parse().ok())),
            target: Memo::new(move |_| text("step").and_then(|key| spot::target_of(&key))),
        }
    }

    /// Returns the address of a tab.
    pub(super) fn of_tab(self, tab: Tab) -> String {
        let path = self.path.get_value();
        match tab {
            Tab::Changes => path + &span_query(self.span.get()),
            other => format!("{path}?tab={}", other.key()),
        }
    }

    /// Returns the address of a comparison.
    pub(super) fn of_span(self, span: Span) -> String {
        self.path.get_value() + &span_query(span)
    }

    /// Returns the address of a thread, with the site's name.
    pub(super) fn of_thread(self, id: ThreadId) -> String {
        let origin = window().location().origin().unwrap_or_default();
        format!("{origin}{}?thread={id}", self.path.get_value())
    }

    /// Returns the address of a target, with the site's name.
    pub(super) fn of_target(self, target: Target) -> String {
        let origin = window().location().origin().unwrap_or_default();
        format!(
            "{origin}{}?step={}",
            self.path.get_value(),
            spot::key(target)
        )
    }

    /// Goes to an address within the page, without scrolling.
    pub(super) fn go(self, address: &str) {
        let options = NavigateOptions {
            scroll: false,
            ..NavigateOptions::default()
        };
        self.go.with_value(|go| go(address, options));
    }
}

fn span_query(span: Span) -> String {
    let number = |point: Point| match point {
        Point::Revision(number) => Some(number),
        Point::Base | Point::Now => None,
    };
    match (number(span.from), number(span.to)) {
        (None, None) => String::new(),
        (Some(from), None) => format!("?from={from}"),
        (None, Some(to)) => format!("?to={to}"),
        (Some(from), Some(to)) => format!("?from={from}&to={to}"),
    }
}

/// Brings an element into view and focus once it is drawn; rows are drawn over a few frames.
pub(super) fn scroll_to(id: String) {
    when_drawn(id, FRAMES, |element| {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Center);
        element.scroll_into_view_with_scroll_into_view_options(&options);
        let _ = element.focus();
    });
}

/// Moves the focus to an element once it is drawn; what is on screen stays where it is.
pub(super) fn focus_when_drawn(id: String) {
    when_drawn(id, FRAMES, |element| {
        let options = web_sys::FocusOptions::new();
        options.set_prevent_scroll(true);
        let _ = element.focus_with_options(&options);
    });
}

fn when_drawn(id: String, frames: u32, then: fn(&web_sys::HtmlElement)) {
    request_animation_frame(move || {
        let found = document().get_element_by_id(&id);
        match found.and_then(|found| found.dyn_into::<web_sys::HtmlElement>().ok()) {
            Some(element) => then(&element),
            None if frames > 0 => when_drawn(id, frames - 1, then),
            None => {}
        }
    });
}
