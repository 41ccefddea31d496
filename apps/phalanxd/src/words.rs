//! How urgent each note of the core is. Its words are those that everybody uses.

use phalanx_api::Level;
use phalanx_events::{ManagerNote, MembershipNote, Note};

pub use phalanx_present::{Names, text};

/// How urgent a note is.
pub fn level(note: &Note) -> Level {
    match note {
        Note::Membership(note) => membership_level(note),
        Note::Manager(note) => manager_level(note),
    }
}

fn membership_level(note: &MembershipNote) -> Level {
    use MembershipNote as N;
    match note {
        // Of interest only where many runs are counted.
        N::Sent { .. }
        | N::Delivered { .. }
        | N::FifoSent { .. }
        | N::FifoDelivered { .. }
        | N::Leased { .. }
        | N::Reached { .. } => Level::Trace,
        N::ViewAccepted { .. } | N::ViewConfirmed { .. } | N::Returned { .. } | N::FrameDropped { .. } => {
            Level::Debug
        }
        N::PathUp { .. }
        | N::PeerUp { .. }
        | N::ViewInstalled { .. }
        | N::TimingsInForce { .. }
        | N::QuarantineOver => Level::Info,
        N::PathDown { .. }
        | N::AdapterSuspected { .. }
        | N::PeerDown { .. }
        | N::GraceGiven { .. }
        | N::SelfPaused { .. }
        | N::MemberStalled { .. }
        | N::LettingGo { .. } => Level::Warn,
        N::IdentityCloned { .. } => Level::Error,
    }
}

fn manager_level(note: &ManagerNote) -> Level {
    use ManagerNote as N;
    match note {
        // Of interest only where many runs are counted.
        N::Reached { .. } => Level::Trace,
        N::PlanProposed { .. }
        | N::StepBegun { .. }
        | N::RequestBegun { .. }
        | N::PlanRefused { .. }
        | N::InStep { .. } => Level::Debug,
        N::Probed { .. }
        | N::Readopted { .. }
        | N::GroupChanged { .. }
        | N::PlanAgreed { .. }
        | N::PlanVoided { .. }
        | N::PlanFinished { .. }
        | N::StandingStill { .. }
        | N::Cleared { .. }
        | N::StepDone { .. }
        | N::RequestEnded { .. }
        | N::StateAdopted { .. }
        | N::Activated { .. }
        | N::ChangeAcknowledged { .. }
        | N::AdapterUp { .. }
        | N::AdapterVouched { .. }
        | N::NetworkUp { .. }
        | N::AdapterSwapped { .. }
        | N::ShutdownBegun { .. } => Level::Info,
        N::StepFailed { .. }
        | N::MonitorFailed { .. }
        | N::RestartedInPlace { .. }
        | N::RestartsExhausted { .. }
        | N::AdapterDown { .. }
        | N::NetworkDown { .. }
        | N::SwapAdapter { .. }
        | N::AddressAstray { .. }
        | N::LettingGo { .. } => Level::Warn,
        N::CharterChanged { .. } | N::TimingsSettled { .. } => Level::Info,
        N::TimingsChanged { .. } => Level::Warn,
        N::TieClaimed { .. } => Level::Info,
        N::Formed { .. } | N::FormedWithoutUs { .. } | N::TieJudged { .. } => Level::Warn,
        N::PlanDiverged { .. } | N::StateDiverged { .. } | N::VersionLost { .. } => Level::Error,
    }
}
