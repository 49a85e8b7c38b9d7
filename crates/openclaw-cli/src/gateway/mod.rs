//! `openclaw gateway`: runs a gateway, and reports about one.

mod dashboard;
mod run;
mod status;
mod token;

use pairing_fs::StateDir;

use crate::args::{GatewayCommand, TargetOptions};
use crate::console::Screen;
use crate::place::Place;
use crate::{Environment, Exit, Failure};

pub(crate) use dashboard::run as dashboard;
pub(crate) use status::{Waiting, holder, of as status_of, said};

/// Runs a command about the gateway.
pub(crate) fn run(
    command: GatewayCommand,
    target: TargetOptions,
    json: bool,
    state: Result<StateDir, pairing_fs::NoStateDir>,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    match command {
        GatewayCommand::Run(options) => run::run(options, state?, environment, screen),
        GatewayCommand::Service(command) => {
            crate::service::run(command, json, state, environment, screen)
        }
        GatewayCommand::Token(options) => token::run(options, json, &state?, environment, screen),
        GatewayCommand::Status | GatewayCommand::Health => {
            let purpose = command.purpose();
            let known = state.clone().ok();
            let mut place = Place::new(state, target, environment);
            match place.load() {
                Err(error) if place.target.url.is_none() => return Err(error),
                Err(error) => screen.warning(&error),
                Ok(()) => {}
            }
            if matches!(command, GatewayCommand::Health) {
                return status::health(&place, purpose, json, screen);
            }
            status::status(&place, purpose, known.as_ref(), json, screen)
        }
    }
}
