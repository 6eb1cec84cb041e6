//! The bars over the canvas: zoom and folding, and what can be done with several selected steps.

use leptos::prelude::*;

use super::super::{Builder, keys, picker};
use crate::design::icon::Icon;

pub(in super::super) fn view(builder: Builder) -> impl IntoView {
    let canvas = builder.canvas;
    let percent = move || format!("{:.0} %", canvas.zoom.get() * 100.0);
    let has_lanes = Memo::new(move |_| {
        canvas.has_folds()
            || canvas
                .layout
                .with(|layout| layout.spots().iter().any(|spot| spot.frame.is_some()))
    });
    let button = move |label: &'static str, icon: &'static str, act: fn(Builder)| {
        view! {
            <button type="button" class="button quiet icon-only" aria-label=label title=label on:click=move |_| act(builder)>
                <Icon name=icon />
            </button>
        }
    };
    view! {
        <div class="canvas-tools" role="group" aria-label="View">
            <Show when=move || builder.may_edit.get()>
                {button("Add a step behind the selected one", "plus", |builder| {
                    picker::open_behind(builder, builder.editor.selection.get_untracked());
                })}
                <span class="canvas-rule"></span>
            </Show>
            {button("Zoom out", "minus", |builder| builder.canvas.zoom_by(-1, None))}
            <button
                type="button"
                class="button quiet canvas-zoom"
                aria-label=move || format!("{}, show full size", percent())
                title="Full size (Ctrl+0)"
                on:click=move |_| canvas.zoom_to(1.0, None)
            >
                {percent}
            </button>
            {button("Zoom in", "zoom-in", |builder| builder.canvas.zoom_by(1, None))}
            {button("Fit the flow into the view", "maximize", |builder| builder.canvas.fit())}
            <Show when=move || has_lanes.get()>
                {move || if canvas.has_folds() {
                    button("Unfold all", "unfold", |builder| builder.canvas.toggle_all_folds())
                } else {
                    button("Fold all", "fold", |builder| builder.canvas.toggle_all_folds())
                }}
            </Show>
        </div>
        {selected(builder)}
    }
}

/// Says how many steps are selected, and what can be done with them.
fn selected(builder: Builder) -> impl IntoView {
    let count = Memo::new(move |_| builder.editor.selection.count());
    let clear = move |_| builder.go_to(builder.editor.selection.get_untracked());
    view! {
        <Show when=move || { count.get() > 1 }>
            <div class="canvas-selected" role="group" aria-label="Selected steps">
                <span>{move || format!("{} steps selected", count.get())}</span>
                <Show when=move || builder.may_edit.get()>
                    <button type="button" class="button quiet" on:click=move |_| keys::duplicate_chosen(builder)>
                        <Icon name="copy" /> "Duplicate"
                    </button>
                    <button type="button" class="button quiet" on:click=move |_| builder.extracting.set(true)>
                        <Icon name="workflow" /> "Extract"
                    </button>
                    <button type="button" class="button quiet" on:click=move |_| keys::delete_chosen(builder)>
                        <Icon name="trash" /> "Delete"
                    </button>
                </Show>
                <button type="button" class="button quiet icon-only" aria-label="Clear the selection" on:click=clear>
                    <Icon name="x" />
                </button>
            </div>
        </Show>
    }
}
