//! Colour, where a terminal shows it and nobody has said no (NO_COLOR).

use std::io::IsTerminal;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// As it should be.
    Good,
    /// On its way, or worth a look.
    Warn,
    /// Not as it should be.
    Bad,
    /// Beside the point.
    Dim,
    /// A heading.
    Bold,
    /// Just text.
    Plain,
}

/// Whether to paint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Colours.
    Colour,
    /// None.
    Plain,
}

impl Paint {
    /// As standard output wants it.
    pub fn of_stdout() -> Paint {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if !refused && std::io::stdout().is_terminal() { Paint::Colour } else { Paint::Plain }
    }

    /// The text in that ink.
    pub fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Good => "32",
            Ink::Warn => "33",
            Ink::Bad => "31;1",
            Ink::Dim => "2",
            Ink::Bold => "1",
            Ink::Plain => return text.to_owned(),
        };
        match self {
            Paint::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Paint::Plain => text.to_owned(),
        }
    }
}
