//! Completes lists that a stanza has on several lines. ifupdown-ng hands over only the last one.

use crate::kernel::live::Live;
use crate::program::executor::Program;
use crate::stanza::environment::Invocation;
use crate::stanza::keywords::LISTS;

/// The invocation with all lines of lists. The interfaces file is read only if the stanza has a list of this program. If
/// the file cannot be read, the lines that were handed over count alone.
pub fn complete(program: &Program, invocation: &Invocation, kernel: &mut Live) -> Invocation {
    let mut invocation = invocation.clone();
    let is_list = |name| LISTS.contains(&name) && invocation.stanza.text(name).is_some();
    if program.keywords().any(|keyword| is_list(keyword.name)) {
        if let Ok(Some(stanzas)) = kernel.stanzas() {
            stanzas.join(&invocation.iface, &mut invocation.stanza);
        }
    }
    invocation
}
