//! A list whose elements stay where they are in the page while others come and go around them.
//!
//! `<For>` moves elements that only changed their number when several come or go before them and
//! others behind them in the same moment, as they do in a list that is scrolled. An element that is
//! moved loses the focus, and is laid out anew.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::rc::Rc;

use leptos::html::ElementType;
use leptos::mount::{UnmountHandle, mount_to_renderer};
use leptos::prelude::*;
use leptos::tachys::view::any_view::AnyViewState;
use wasm_bindgen::JsCast;
use web_sys::Element;

/// A child as it stands in the page. It goes with this value, and so does all that its signals hold.
struct Child {
    element: Element,
    _drawn: UnmountHandle<AnyViewState>,
}

/// Keeps the children of an element what `keys` says, in that order.
///
/// `draw` is asked once for each key, as long as it stays listed, and draws exactly one element. The
/// element has no other children, and no key is listed twice.
pub(crate) fn in_place<E, K>(
    parent: NodeRef<E>,
    keys: impl Fn() -> Vec<K> + 'static,
    draw: impl Fn(K) -> AnyView + 'static,
) where
    E: ElementType,
    E::Output: JsCast + Clone + 'static,
    K: Clone + Eq + Hash + 'static,
{
    // What is drawn belongs to the list, not to one look at its keys; each child has an owner of its
    // own in it, and goes with that.
    let Some(owner) = Owner::current() else {
        return;
    };
    let draw = Rc::new(draw);
    Effect::new(move |children: Option<HashMap<K, Child>>| {
        let mut children = children.unwrap_or_default();
        let Some(parent) = parent.get() else {
            return children;
        };
        let parent: Element = parent.unchecked_into();
        let keys = keys();
        let listed: HashSet<&K> = keys.iter().collect();
        children.retain(|key, _| listed.contains(key));
        let mut here = parent.first_element_child();
        for key in &keys {
            if let Some(child) = children.get(key) {
                here = stay(&parent, &child.element, here);
                continue;
            }
            let (draw, key_of_view) = (Rc::clone(&draw), key.clone());
            let view = move || untrack(|| draw(key_of_view));
            let drawn = owner.with(|| mount_to_renderer(&parent, view));
            let Some(element) = parent.last_element_child() else {
                continue;
            };
            if here.is_some() {
                put(&parent, &element, here.as_ref());
            }
            let child = Child {
                element,
                _drawn: drawn,
            };
            children.insert(key.clone(), child);
        }
        children
    });
}

/// Lets an element follow the ones before it, where `here` stands now. Returns what stands behind it.
fn stay(parent: &Element, element: &Element, here: Option<Element>) -> Option<Element> {
    if here.as_ref() != Some(element) {
        let next = here.as_ref().and_then(Element::next_element_sibling);
        match &here {
            // What stood between went to a later place: it is what moves.
            Some(gone) if next.as_ref() == Some(element) => put(parent, gone, None),
            _ => put(parent, element, here.as_ref()),
        }
    }
    element.next_element_sibling()
}

/// Puts an element before another one, or at the end.
fn put(parent: &Element, element: &Element, before: Option<&Element>) {
    // It fails only for an element that is not in this list, which there is none of.
    let _ = parent.insert_before(element, before.map(AsRef::as_ref));
}
