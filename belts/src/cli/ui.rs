//! The command `ui`: the dashboard of a store, for whoever sits at this machine.

use std::{
    future::IntoFuture as _,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::net::TcpListener;
use uuid::Uuid;

use super::{args::PlaceArgs, print, wrong::Wrong};
use crate::{http::InspectionToken, worker::Worker};

/// Serves the dashboard on a loopback address until the program is interrupted.
pub(super) async fn ui(place: PlaceArgs, port: u16, actor: &str) -> Result<(), Wrong> {
    let store = place.open_to_serve(actor).await?;
    let worker = Worker::builder().shared_store(store).publish_only();
    let worker = worker.build().await?;
    let http = &worker.shared().http;
    // Nobody learns it: the link is the only way in.
    let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let token = InspectionToken::new(&token).map_err(Wrong::Failed)?;
    drop(http.made_token.set(token));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let unbound = |error| Wrong::failed(&format!("cannot listen on {address}"), error);
    let listener = TcpListener::bind(address).await.map_err(unbound)?;
    let bound = listener.local_addr().map_err(unbound)?;
    let code = http.ui.once.make(worker.now(), actor);
    print::write(&format!(
        "the dashboard is at http://{bound}/sign-in?once={code}\n\
         The link signs in once, within 15 minutes. Press Ctrl+C to end.\n"
    ))?;
    let app = worker.dashboard();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, app).into_future();
    tokio::select! {
        served = served => served.map_err(|error| Wrong::failed("cannot serve", error)),
        // Nothing is lost with the connections that browsers keep open.
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}
