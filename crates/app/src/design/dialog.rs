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
        // One frame later the content is drawn, so that the browser finds what to focus.
        request_animation_frame(move || {
            let Some(dialog) = node.try_get_untracked().flatten() else {
                return;
            };
            if is_open && !dialog.open() {
                let _ = dialog.show_modal();
            } else if !is_open && dialog.open() {
                dialog.close();
            }
        });
    });
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
            on:close=move |_| open.set(false)
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
