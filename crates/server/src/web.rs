//! What the requests of one process share.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use app::caller::CookiePolicy;
use axum::extract::Request;
use store::Store;

use crate::answer_desk::AnswerDesk;
use crate::computer::Computer;
use crate::config::Config;
use crate::hook::elsewhere::Askers;
use crate::listen::Peer;
use crate::live::Sessions;
use crate::outage::Outage;
use crate::rate::Rate;
use crate::signal::Stop;
use crate::site::Site;
use crate::worker::Worker;

/// What the requests of one process share.
#[derive(Debug)]
pub struct Web {
    /// The database.
    pub store: Store,
    /// The built page.
    pub site: Site,
    /// How session cookies are set.
    pub cookies: CookiePolicy,
    /// The address that people use, when it is known.
    pub public_url: Option<String>,
    /// The address of the demo's services, once they run.
    pub demo_service: OnceLock<String>,
    /// Given when the process is to end.
    pub stop: Stop,
    /// What executes runs that only compute.
    pub computer: Arc<Computer>,
    /// The worker of this process, unless others execute all other runs.
    pub worker: Option<Arc<Worker>>,
    /// Where webhooks wait for the answers of their runs.
    pub answers: Arc<AnswerDesk>,
    /// Who is signed in, asked often by open pages.
    pub sessions: Sessions,
    /// What the log tells of events that could not be kept.
    pub(crate) outage: Outage,
    /// How many callers ask after their runs.
    pub(crate) askers: Askers,
    trust_proxy: bool,
    is_set_up: AtomicBool,
    sign_in: Rate,
    unknown_hook: Rate,
}

impl Web {
    /// Puts together what requests need; `computer` and `worker` are of the same database.
    pub fn new(
        config: &Config,
        stop: Stop,
        computer: Arc<Computer>,
        worker: Option<Arc<Worker>>,
        answers: Arc<AnswerDesk>,
    ) -> Self {
        let store = computer.store.clone();
        Self {
            sessions: Sessions::new(store.clone()),
            store,
            site: Site::new(config.site.clone()),
            cookies: CookiePolicy {
                secure: config.is_secure(),
            },
            public_url: config.public_url.clone(),
            demo_service: OnceLock::new(),
            stop,
            computer,
            worker,
            answers,
            outage: Outage::default(),
            askers: Askers::default(),
            trust_proxy: config.trust_proxy,
            is_set_up: AtomicBool::new(false),
            sign_in: Rate::new(20, Duration::from_secs(6)),
            unknown_hook: Rate::new(30, Duration::from_secs(2)),
        }
    }

    /// Returns whether an organization exists. Once there is one, there always is.
    pub async fn is_set_up(&self) -> Result<bool, store::Error> {
        if !self.is_set_up.load(Ordering::Relaxed) && self.store.is_set_up().await? {
            self.is_set_up.store(true, Ordering::Relaxed);
        }
        Ok(self.is_set_up.load(Ordering::Relaxed))
    }

    /// Counts an attempt to sign in, or to guess an invitation.
    ///
    /// # Errors
    /// After how many seconds to try again.
    pub fn attempt_sign_in(&self, request: &Request) -> Result<(), u64> {
        self.sign_in.attempt(self.caller(request), Instant::now())
    }

    /// Counts a call of a webhook that does not exist.
    ///
    /// # Errors
    /// After how many seconds to try again.
    pub fn attempt_hook(&self, caller: IpAddr) -> Result<(), u64> {
        self.unknown_hook.attempt(caller, Instant::now())
    }

    /// Returns the address that a request comes from. Behind a proxy that we were told to trust
    /// it is the last one that the proxy names: earlier ones are the caller's own words.
    pub fn caller(&self, request: &Request) -> IpAddr {
        let forwarded = request
            .headers()
            .get_all("x-forwarded-for")
            .iter()
            .next_back();
        let forwarded = forwarded
            .filter(|_| self.trust_proxy)
            .and_then(|value| value.to_str().ok());
        let named = forwarded.and_then(|line| line.rsplit(',').next()?.trim().parse().ok());
        let peer = || request.extensions().get::<Peer>().map(|peer| peer.0);
        named.or_else(peer).unwrap_or(IpAddr::from([0, 0, 0, 0]))
    }
}
