//! `serve-demo`: the embedded server by itself.

use std::process::ExitCode;

use super::args::ServeDemoArgs;
use crate::session;

pub(super) fn serve_demo(args: &ServeDemoArgs) -> ExitCode {
    let end = match session::EndSignal::listen() {
        Ok(end) => end,
        Err(message) => return super::fail(&message),
    };
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
    end.wait();
    ExitCode::SUCCESS
}
