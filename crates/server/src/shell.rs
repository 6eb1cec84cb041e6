//! Answers for everything that is neither an API nor a webhook: files of the site, and the page.

use std::sync::Arc;
use std::time::Duration;

use app::Boot;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode};

use crate::web::Web;
use crate::{answer, page};

/// How long the page waits for its first data.
const BOOT: Duration = Duration::from_secs(5);

/// Answers with a file, or 404.
pub(crate) async fn file(State(web): State<Arc<Web>>, request: Request) -> Response {
    let file = web.site.file(request.uri().path(), request.headers()).await;
    file.unwrap_or_else(answer::not_found)
}

/// Answers with the page, whatever the path: the app knows which there are. Paths that look
/// like files are files.
pub(crate) async fn page(State(web): State<Arc<Web>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return answer::wrong_method("GET, HEAD");
    }
    let path = request.uri().path();
    if path
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains('.'))
    {
        return file(State(web), request).await;
    }
    let Some(names) = web.site.names() else {
        let message = "The page is not built yet. Run `cargo xtask build` and reload.";
        return page::notice(StatusCode::SERVICE_UNAVAILABLE, message);
    };
    let boot = match tokio::time::timeout(BOOT, boot(&web, request)).await {
        Ok(Ok(boot)) => boot,
        Ok(Err(error)) => {
            tracing::error!(%error, "the page's first data could not be read");
            return page::notice(StatusCode::SERVICE_UNAVAILABLE, AWAY);
        }
        Err(_) => return page::notice(StatusCode::SERVICE_UNAVAILABLE, AWAY),
    };
    let boot = serde_json::to_string(&boot).expect("the first data are JSON");
    page::app(&names, &boot)
}

const AWAY: &str = "The database cannot be reached just now. This page tries again by itself.";

async fn boot(web: &Web, request: Request) -> Result<Boot, store::Error> {
    let is_home = request.uri().path() == "/";
    let (parts, _) = request.into_parts();
    let is_set_up = web.is_set_up().await?;
    let me = match app::caller::session_token(&parts, web.cookies) {
        Some(token) => web.store.who(&token).await?,
        None => None,
    };
    let integrations = match &me {
        Some(me) if is_home => Some(web.store.integrations(me).await?),
        _ => None,
    };
    let is_demo = me.as_ref().is_some_and(|me| me.is_demo);
    let demo_service = web.demo_service.get().filter(|_| is_demo);
    Ok(Boot {
        is_set_up,
        demo_service: demo_service.cloned(),
        me,
        public_url: web.public_url.clone(),
        integrations,
    })
}
