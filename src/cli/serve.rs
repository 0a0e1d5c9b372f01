//! `serve-demo`: the embedded server by itself.

use std::process::ExitCode;

use super::args::ServeDemoArgs;
use crate::session;

pub(super) fn serve_demo(args: &ServeDemoArgs) -> ExitCode {
    let server =
        match session::start_demo_server(args.port, args.script.as_deref(), args.log.clone()) {
            Ok(server) => server,
            Err(message) => return super::fail(&message),
        };
    // Without a reader it serves all the same.
    let _printed = super::print::out(
        &format!(
            "demo server: OpenAI {}  Gradio {}  ({})\n",
            server.openai_url(),
            server.gradio_url(),
            server.capacity()
        ),
        super::exit::OK,
    );
    match session::wait_for_end_signal() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => super::fail(&message),
    }
}
