//! Which screen an address shows, and the frame around all of them.

pub mod frame;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_split::{SplitLoaderError, wasm_split};
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::hooks::{use_location, use_navigate};
use leptos_router::params::ParamsMap;
use leptos_router::{NavigateOptions, WildcardSegment};

use crate::design::confirm::Confirm;
use crate::design::toast::{self, Toasts};
use crate::fault::Fault;
use crate::session::sign_in_again::SignInAgain;
use crate::{
    account, alert, connection, connector, draft, integration, live, member, network, palette,
    retention, review, run, session, version,
};

pub use frame::Page;

/// The screens, each with its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Screen {
    Organization,
    SetUp,
    SignIn,
    Invitation,
    NewIntegration,
    Integration,
    Version,
    Compare,
    Draft,
    Review,
    Inbox,
    Runs,
    Run,
    Members,
    Alerts,
    Retention,
    Network,
    Connections,
    Connectors,
    Connector,
    Consented,
    ReviewPolicy,
    Nowhere,
}

impl Screen {
    /// Returns the screen at a path, with the parts of the path that name things.
    fn at(path: &str) -> (Self, ParamsMap) {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let named = |screen, names: &[(&'static str, &str)]| {
            let mut params = ParamsMap::new();
            for (name, value) in names {
                params.insert(*name, (*value).to_owned());
            }
            (screen, params)
        };
        match parts[..] {
            [] => named(Screen::Organization, &[]),
            ["set-up"] => named(Screen::SetUp, &[]),
            ["sign-in"] => named(Screen::SignIn, &[]),
            ["invitation", token] => named(Screen::Invitation, &[("token", token)]),
            ["new"] => named(Screen::NewIntegration, &[]),
            ["integrations", id] => named(Screen::Integration, &[("id", id)]),
            ["integrations", id, "versions", number] => {
                named(Screen::Version, &[("id", id), ("number", number)])
            }
            ["integrations", id, "compare", a, b] => {
                named(Screen::Compare, &[("id", id), ("a", a), ("b", b)])
            }
            ["inbox"] => named(Screen::Inbox, &[]),
            ["drafts", id] => named(Screen::Draft, &[("id", id)]),
            ["reviews", id] => named(Screen::Review, &[("id", id)]),
            ["runs"] => named(Screen::Runs, &[]),
            ["runs", id] => named(Screen::Run, &[("id", id)]),
            ["settings", "members"] => named(Screen::Members, &[]),
            ["settings", "alerts"] => named(Screen::Alerts, &[]),
            ["settings", "retention"] => named(Screen::Retention, &[]),
            ["settings", "network"] => named(Screen::Network, &[]),
            ["settings", "connections"] => named(Screen::Connections, &[]),
            ["settings", "connectors"] => named(Screen::Connectors, &[]),
            ["settings", "connectors", key] => named(Screen::Connector, &[("key", key)]),
            ["oauth", "callback"] => named(Screen::Consented, &[]),
            ["settings", "review"] => named(Screen::ReviewPolicy, &[]),
            _ => named(Screen::Nowhere, &[]),
        }
    }

    /// Returns whether it is for people who are not signed in.
    const fn is_public(self) -> bool {
        matches!(self, Screen::SetUp | Screen::SignIn | Screen::Invitation)
    }

    /// Returns what draws the screen, when its code is in the page's first module.
    const fn near(self) -> Option<Draw> {
        match self {
            Screen::Organization => Some(integration::list::page),
            Screen::SetUp => Some(account::set_up::page),
            Screen::SignIn => Some(account::sign_in::page),
            Screen::Nowhere => Some(nowhere),
            _ => None,
        }
    }

    /// Loads what draws a screen whose code is not in the first module.
    async fn far(self) -> Result<Draw, SplitLoaderError> {
        match self {
            Screen::Draft => builder().await,
            Screen::Review => reviewing().await,
            _ => Ok(further().await?(self)),
        }
    }
}

type Draw = fn() -> AnyView;

/// The builder: a part of the module by itself, for it is the largest screen.
#[wasm_split(builder, wasm_split_path = leptos::wasm_split, fallible)]
fn builder() -> Result<Draw, SplitLoaderError> {
    Ok(draft::page)
}

/// The review page: a part by itself too, so that the other screens stay small.
#[wasm_split(reviewing, wasm_split_path = leptos::wasm_split, fallible)]
fn reviewing() -> Result<Draw, SplitLoaderError> {
    Ok(review::page::page)
}

/// The screens that are neither the first one nor the builder.
#[wasm_split(further, wasm_split_path = leptos::wasm_split, fallible)]
fn further() -> Result<fn(Screen) -> Draw, SplitLoaderError> {
    Ok(|screen| match screen {
        Screen::Invitation => account::invitation::page,
        Screen::NewIntegration => integration::new::page,
        Screen::Integration => integration::page::page,
        Screen::Version => version::page::page,
        Screen::Compare => version::compare::page,
        Screen::Inbox => review::inbox::page,
        Screen::ReviewPolicy => review::policy::page,
        Screen::Runs => run::list::page,
        Screen::Run => run::page::page,
        Screen::Members => member::page::page,
        Screen::Alerts => alert::page::page,
        Screen::Retention => retention::page::page,
        Screen::Network => network::page::page,
        Screen::Connections => connection::page::page,
        Screen::Connectors => connector::page::page,
        Screen::Connector => connector::one::page,
        Screen::Consented => connection::back::page,
        _ => nowhere,
    })
}

/// The whole single-page app.
#[component]
pub fn App() -> impl IntoView {
    session::provide_session();
    if session::use_me().with_untracked(Option::is_some) {
        live::connect();
    }
    // One route for all: its own table of screens is a tenth of the router's in the module.
    view! {
        <Router>
            <FlatRoutes fallback=|| ()>
                <Route path=WildcardSegment("path") view=Screens />
            </FlatRoutes>
        </Router>
        <Toasts />
        <Confirm />
        <SignInAgain />
    }
}

/// What is on screen: it stays until the code of the next screen is there.
#[derive(Clone)]
struct Shown {
    screen: Screen,
    params: ParamsMap,
    draw: Draw,
}

#[component]
fn Screens() -> impl IntoView {
    let path = use_location().pathname;
    let found = Memo::new(move |_| Screen::at(&path.get()));
    redirect(Memo::new(move |_| found.with(|(screen, _)| *screen)));
    let shown = shown(found);
    let screen = Memo::new(move |_| shown.with(|shown| shown.as_ref().map(|shown| shown.screen)));
    // Stays from screen to screen, with what is open and counted in it.
    let has_bar = Memo::new(move |_| screen.get().is_some_and(|screen| !screen.is_public()));
    view! {
        <div class="app">
            {move || has_bar.get().then(frame::top)}
            <div class="screen" id="content" tabindex="-1">
                {move || screen.get().and_then(|screen| draw(shown, screen))}
            </div>
            {palette::view()}
        </div>
    }
}

/// Follows the address: what is to be shown, once its code is there and someone may see it.
fn shown(found: Memo<(Screen, ParamsMap)>) -> RwSignal<Option<Shown>> {
    let me = session::use_me();
    let is_in = Memo::new(move |_| me.with(Option::is_some));
    let shown = RwSignal::new(None::<Shown>);
    let round = StoredValue::new(0_u32);
    let again = RwSignal::new(());
    live::use_refetch(move || {
        let wanted = found.with_untracked(|(screen, _)| *screen);
        if shown.with_untracked(|shown| shown.as_ref().is_some_and(|s| s.screen != wanted)) {
            again.set(());
        }
    });
    Effect::new(move || {
        again.track();
        let (screen, params) = found.get();
        let this = round.get_value() + 1;
        round.set_value(this);
        if !is_in.get() && !screen.is_public() {
            shown.set(None);
        } else if let Some(draw) = screen.near() {
            shown.set(Some(Shown {
                screen,
                params,
                draw,
            }));
        } else {
            spawn_local(async move {
                let draw = screen.far().await;
                // Someone may have gone elsewhere meanwhile.
                if round.try_get_value() != Some(this) {
                    return;
                }
                match draw {
                    Ok(draw) => shown.set(Some(Shown {
                        screen,
                        params,
                        draw,
                    })),
                    // Asked again when the connection is back.
                    Err(_) => toast::say_fault(&Fault::Unreachable),
                }
            });
        }
    });
    shown
}

/// Draws a screen. What its address names follows the address only while it is on screen: the
/// next screen's names mean something else.
fn draw(shown: RwSignal<Option<Shown>>, screen: Screen) -> Option<AnyView> {
    let draw = shown.with_untracked(|shown| shown.as_ref().map(|shown| shown.draw))?;
    let params = ArcMemo::new(move |before: Option<&ParamsMap>| {
        let own = shown.with(|shown| {
            let own = shown.as_ref().filter(|shown| shown.screen == screen);
            own.map(|shown| shown.params.clone())
        });
        own.or_else(|| before.cloned()).unwrap_or_default()
    });
    provide_context(params);
    Some(draw())
}

/// Sends people where they can do something: to set up, to sign in, and back to what they wanted.
fn redirect(screen: Memo<Screen>) {
    let (me, is_set_up) = (session::use_me(), session::is_set_up());
    let navigate = use_navigate();
    let location = use_location();
    Effect::new(move || {
        let to = |path: &str| {
            let options = NavigateOptions {
                replace: true,
                ..NavigateOptions::default()
            };
            navigate(path, options);
        };
        let is_in = me.with(Option::is_some);
        match (screen.get(), is_set_up.get(), is_in) {
            (Screen::SetUp, false, _) => {}
            (_, false, _) => to("/set-up"),
            (Screen::SetUp, true, _) => to("/"),
            (Screen::SignIn, _, true) => {
                let back = location.query.with_untracked(|query| query.get("back"));
                to(&back
                    .filter(|back| is_own(back))
                    .unwrap_or_else(|| "/".to_owned()));
            }
            (screen, _, false) if !screen.is_public() => {
                let wanted = location.pathname.get_untracked() + &search(&location);
                let back = String::from(js_sys::encode_uri_component(&wanted));
                to(&if wanted == "/" {
                    "/sign-in".to_owned()
                } else {
                    format!("/sign-in?back={back}")
                });
            }
            _ => {}
        }
    });
}

fn search(location: &leptos_router::location::Location) -> String {
    let search = location.search.get_untracked();
    if search.is_empty() {
        search
    } else {
        format!("?{search}")
    }
}

/// Returns whether an address is a path of this site: a link must not send people elsewhere.
fn is_own(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains('\\')
}

fn nowhere() -> AnyView {
    view! {
        <Page title="Nothing is here">
            <p class="quiet-text">"The address is wrong, or what was here is gone."</p>
            <p>
                <a class="button" href="/">
                    "Go to the integrations"
                </a>
            </p>
        </Page>
    }
    .into_any()
}
