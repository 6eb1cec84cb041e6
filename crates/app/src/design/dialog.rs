//! A modal dialog on the browser's own `<dialog>`: Escape closes it and the focus returns.

use leptos::html;
use leptos::prelude::*;

use super::icon::Icon;
use super::unique;

/// A dialog over the page while `open` holds. Its content is made anew each time it opens.
///
/// The first control in it gets the focus, or the one with the attribute `autofocus`.
#[component]
pub fn Dialog(
    /// Whether it is open; set to `false` when it is closed by key or button.
    open: RwSignal<bool>,
    /// What it is about.
    #[prop(into)]
    title: Signal<String>,
    /// Whether it takes the space of a large form.
    #[prop(optional)]
    wide: bool,
    /// Whether it stays until the matter is settled: no close button, no Escape.
    #[prop(optional)]
    firm: bool,
    /// What stands under the title.
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    let heading = StoredValue::new(unique("dialog"));
    Effect::new(move || {
        let is_open = open.get();
        // Once all effects of this change have run the content is drawn, so that the browser finds
        // what to focus.
        queue_microtask(move || {
            let Some(dialog) = node.try_get_untracked().flatten() else {
                return;
            };
            if is_open && !dialog.open() {
                let _ = dialog.show_modal();
            } else if !is_open && dialog.open() {
                dialog.close();
            }
            hold_page();
        });
    });
    // A dialog can go with the screen that it is on, without being closed.
    on_cleanup(|| request_animation_frame(hold_page));
    let close = move || {
        (!firm).then(|| {
            view! {
                <button
                    type="button"
                    class="button quiet icon-only dialog-close"
                    aria-label="Close"
                    on:click=move |_| open.set(false)
                >
                    <Icon name="x" />
                </button>
            }
        })
    };
    view! {
        <dialog
            node_ref=node
            class="dialog"
            class:wide=wide
            aria-labelledby=heading.get_value()
            on:close=move |_| {
                open.set(false);
                hold_page();
            }
            on:cancel=move |event: leptos::ev::Event| {
                if firm {
                    event.prevent_default();
                }
            }
        >
            {move || -> Option<AnyView> {
                open.get()
                    .then(|| {
                        view! {
                            <h2 id=heading.get_value() class="dialog-title">
                                {move || title.get()}
                            </h2>
                            <div class="dialog-body">{children()}</div>
                            {close()}
                        }
                            .into_any()
                    })
            }}
        </dialog>
    }
}

/// Keeps the page from scrolling under an open dialog, and lets it once none is.
///
/// Not a rule of style that asks whether the page has a dialog somewhere: a browser would look at
/// the page anew with everything that is drawn.
fn hold_page() {
    let Some(root) = document().document_element() else {
        return;
    };
    let is_held = document()
        .query_selector("dialog:modal")
        .is_ok_and(|modal| modal.is_some());
    let _ = root.class_list().toggle_with_force("is-held", is_held);
}
