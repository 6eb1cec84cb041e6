//! Menus that open from a button: by mouse, or with Enter and the arrow keys.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::icon::Icon;
use super::unique;

/// One line of a menu.
#[derive(Clone)]
pub struct MenuItem {
    /// What it does, in a word or two.
    pub label: String,
    /// Name of its icon.
    pub icon: &'static str,
    /// The keys that do the same, or empty.
    pub keys: &'static str,
    /// Why it cannot be done now; the line is shown all the same.
    pub refused: Option<String>,
    /// Whether something is lost by it.
    pub is_destructive: bool,
    /// Does it.
    pub act: Callback<()>,
}

impl MenuItem {
    /// Returns a line that does something.
    pub fn new(
        label: impl Into<String>,
        icon: &'static str,
        act: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            label: label.into(),
            icon,
            keys: "",
            refused: None,
            is_destructive: false,
            act: Callback::new(move |()| act()),
        }
    }

    /// Marks that something is lost by it.
    #[must_use]
    pub fn destructive(mut self) -> Self {
        self.is_destructive = true;
        self
    }

    /// Shows the keys that do the same.
    #[must_use]
    pub fn keys(mut self, keys: &'static str) -> Self {
        self.keys = keys;
        self
    }

    /// Says why it cannot be done, if so.
    #[must_use]
    pub fn refused(mut self, reason: Option<String>) -> Self {
        self.refused = reason;
        self
    }
}

/// A button with a menu.
#[component]
pub fn Menu(
    /// What the button is called.
    #[prop(into)]
    label: String,
    /// Whether the label is shown beside the icon, or only read out.
    #[prop(optional)]
    show_label: bool,
    /// Name of the button's icon.
    #[prop(optional, into)]
    icon: String,
    /// The lines; asked for when the menu opens.
    #[prop(into)]
    items: Signal<Vec<MenuItem>>,
    /// Further content above the lines.
    #[prop(optional)]
    head: Option<ViewFn>,
) -> impl IntoView {
    let button = NodeRef::<html::Button>::new();
    let panel = NodeRef::<html::Div>::new();
    let is_open = RwSignal::new(false);
    let id = unique("menu");
    let icon = if icon.is_empty() {
        "more".to_owned()
    } else {
        icon
    };
    let opened = move |event: ev::Event| {
        let new_state = js_sys::Reflect::get(&event, &"newState".into()).ok();
        let open = new_state.and_then(|state| state.as_string()).as_deref() == Some("open");
        is_open.set(open);
        if open && let (Some(button), Some(panel)) = (button.get_untracked(), panel.get_untracked())
        {
            // Its content is drawn one frame later; then its size is known.
            request_animation_frame(move || {
                place(&button, &panel);
                step(&panel, Step::First);
            });
        }
    };
    let keys = move |event: ev::KeyboardEvent| {
        let Some(panel) = panel.get_untracked().filter(|_| is_open.get_untracked()) else {
            return;
        };
        let way = match event.key().as_str() {
            "ArrowDown" => Step::Next,
            "ArrowUp" => Step::Back,
            "Home" => Step::First,
            "End" => Step::Last,
            "Tab" => {
                let _ = panel.hide_popover();
                return;
            }
            _ => return,
        };
        event.prevent_default();
        event.stop_propagation();
        step(&panel, way);
    };
    let lines = move || {
        let items = items.get();
        let line = |item: MenuItem| line(item, panel, button);
        items.into_iter().map(line).collect::<Vec<_>>()
    };
    let name = label.clone();
    view! {
        <button
            node_ref=button
            type="button"
            class="button quiet"
            class:icon-only=!show_label
            aria-haspopup="menu"
            aria-expanded=move || is_open.get().to_string()
            aria-label=label.clone()
            title=(!show_label).then(|| label.clone())
            popovertarget=id.clone()
            on:keydown=keys
        >
            <Icon name=icon />
            {show_label.then(|| view! { <span>{label.clone()}</span> <Icon name="chevron-down" /> })}
        </button>
        <div
            node_ref=panel
            id=id
            class="menu"
            popover="auto"
            on:toggle=opened
            on:keydown=keys
        >
            {move || {
                is_open
                    .get()
                    .then(|| {
                        view! {
                            {head.as_ref().map(ViewFn::run)}
                            <div role="menu" aria-label=name.clone()>
                                {lines}
                            </div>
                        }
                            .into_any()
                    })
            }}
        </div>
    }
}

fn line(item: MenuItem, panel: NodeRef<html::Div>, button: NodeRef<html::Button>) -> AnyView {
    let is_refused = item.refused.is_some();
    let act = item.act;
    let choose = move |_| {
        if is_refused {
            return;
        }
        if let Some(panel) = panel.get_untracked() {
            let _ = panel.hide_popover();
        }
        if let Some(button) = button.get_untracked() {
            let _ = button.focus();
        }
        act.run(());
    };
    view! {
        <button
            type="button"
            role="menuitem"
            class="menu-item"
            class:danger=item.is_destructive
            tabindex="-1"
            aria-disabled=is_refused.to_string()
            on:click=choose
        >
            <Icon name=item.icon />
            <span class="menu-label">
                {item.label} {item.refused.map(|why| view! { <small>{why}</small> })}
            </span>
            <kbd>{item.keys}</kbd>
        </button>
    }
    .into_any()
}

enum Step {
    First,
    Last,
    Next,
    Back,
}

fn step(panel: &HtmlElement, way: Step) {
    let Ok(items) = panel.query_selector_all("[role=menuitem]") else {
        return;
    };
    let count = items.length();
    if count == 0 {
        return;
    }
    let active = document().active_element();
    let current = (0..count).find(|index| {
        let item = items.item(*index);
        item.as_ref() == active.as_ref().map(AsRef::as_ref)
    });
    let next = match (way, current) {
        (Step::First, _) | (Step::Next, None) => 0,
        (Step::Last, _) | (Step::Back, None) => count - 1,
        (Step::Next, Some(index)) => (index + 1) % count,
        (Step::Back, Some(index)) => (index + count - 1) % count,
    };
    let item = items.item(next);
    if let Some(item) = item.and_then(|item| item.dyn_into::<HtmlElement>().ok()) {
        let _ = item.focus();
    }
}

/// Puts a panel under its button, inside the window.
pub fn place(button: &HtmlElement, panel: &HtmlElement) {
    let anchor = button.get_bounding_client_rect();
    let size = panel.get_bounding_client_rect();
    let number = |value: Result<wasm_bindgen::JsValue, _>| {
        value.ok().and_then(|value| value.as_f64()).unwrap_or(0.0)
    };
    let (width, height) = (
        number(window().inner_width()),
        number(window().inner_height()),
    );
    let left = anchor.left().min(width - size.width() - 8.0).max(8.0);
    let below = anchor.bottom() + 4.0;
    let top = if below + size.height() > height - 8.0 && anchor.top() > size.height() + 12.0 {
        anchor.top() - size.height() - 4.0
    } else {
        below
    };
    let style = panel.style();
    let _ = style.set_property("left", &format!("{left}px"));
    let _ = style.set_property("top", &format!("{top}px"));
}
