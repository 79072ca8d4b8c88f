//! Driver, compiler and cards, without the one of which there is nothing to ask.

use std::path::Path;

use super::Finding;
use crate::compute::cuda::device::{CardInfo, Presence, compiler, presence};
use crate::tui::format;

/// What the built-in kernels want of a driver: that of CUDA 13.
const WANTED: i32 = 13_000;
/// Architectures that kernels are built in for; others begin with a compilation of the PTX.
const BUILT_IN: [(i32, i32); 5] = [(8, 0), (8, 6), (8, 9), (9, 0), (12, 0)];

const INSTALL: &str = "install NVIDIA's driver of release 580 or newer (Debian and Ubuntu: `sudo ubuntu-drivers install` or the package \
                       nvidia-driver; Fedora: akmod-nvidia; Arch: nvidia-open; Windows: nvidia.com/drivers), then start the machine again";

pub(super) fn findings() -> Vec<Finding> {
    findings_of(
        presence(),
        compiler(),
        nvidia_hardware(Path::new("/sys/bus/pci/devices")),
    )
}

fn findings_of(presence: Presence, compiler: Option<(i32, i32)>, has_hardware: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let cards = match presence {
        Presence::Missing if has_hardware => {
            findings.push(Finding::missing(
                "graphics driver",
                "there is a card of NVIDIA, and no libcuda.so.1",
                INSTALL,
            ));
            return findings;
        }
        Presence::Missing => {
            findings.push(Finding::missing(
                "graphics card",
                "no card of NVIDIA, and no driver: models run on the processor",
                "nothing is wrong; `thunderhead plan MODEL --card NAME` says what a card would change",
            ));
            return findings;
        }
        Presence::Unusable(why) => {
            findings.push(Finding::missing(
                "graphics driver",
                format!("cannot be used: {why}"),
                INSTALL,
            ));
            return findings;
        }
        Presence::Present { version, cards } => {
            let name = format!("for CUDA {}.{}", version / 1000, version % 1000 / 10);
            findings.push(if version < WANTED {
                Finding::poor(
                    "graphics driver",
                    format!("{name}; the built-in kernels are for CUDA 13"),
                    format!("{INSTALL}; or install NVRTC and run with --kernels source"),
                )
            } else {
                Finding::good("graphics driver", name)
            });
            cards
        }
    };
    if cards.is_empty() {
        findings.push(Finding::missing(
            "graphics card",
            "the driver knows of none",
            "look whether it is seated and has power, and at CUDA_VISIBLE_DEVICES",
        ));
    }
    findings.extend(cards.iter().map(card));
    findings.push(match compiler {
        Some((major, minor)) => Finding::good("NVRTC", format!("{major}.{minor}: --kernels source can be used")),
        None => Finding::good("NVRTC", "not installed; only --kernels source needs it"),
    });
    findings
}

fn card(card: &CardInfo) -> Finding {
    let (major, minor) = card.capability;
    let found = format!(
        "{}: {}, compute capability {major}.{minor}, {}",
        card.name,
        format::bytes(card.memory as u64),
        format::counted(card.multiprocessors, "multiprocessor")
    );
    if card.capability < BUILT_IN[0] {
        return Finding::missing(
            "graphics card",
            found,
            "the kernels run on 8.0 (RTX 30, A100) and later; models run on the processor",
        );
    }
    if !BUILT_IN.contains(&card.capability) {
        return Finding::poor(
            "graphics card",
            found,
            "no kernels are built in for exactly this one: the driver compiles them the first time, which takes a minute",
        );
    }
    Finding::good("graphics card", found)
}

/// Whether the machine has a display controller of NVIDIA, driver or not.
fn nvidia_hardware(devices: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(devices) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let read = |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        read("vendor").trim() == "0x10de" && read("class").starts_with("0x03")
    })
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn states(presence: Presence, has_hardware: bool) -> Vec<(&'static str, State)> {
        let findings = findings_of(presence, None, has_hardware);
        findings
            .into_iter()
            .map(|finding| (finding.about, finding.state))
            .collect()
    }

    #[test]
    fn what_is_missing_is_named_by_what_there_is() {
        assert_eq!(states(Presence::Missing, false), [("graphics card", State::Missing)]);
        assert_eq!(states(Presence::Missing, true), [("graphics driver", State::Missing)]);
        let unusable = Presence::Unusable("it is old".to_owned());
        assert_eq!(states(unusable, true), [("graphics driver", State::Missing)]);
        let with = |version, capability| Presence::Present {
            version,
            cards: vec![CardInfo {
                name: "RTX".to_owned(),
                capability,
                memory: 24 << 30,
                multiprocessors: 128,
            }],
        };
        for (version, capability, driver, card) in [
            (13_000, (8, 9), State::Good, State::Good),
            (12_080, (8, 9), State::Poor, State::Good),
            (13_010, (10, 0), State::Good, State::Poor),
            (13_010, (7, 5), State::Good, State::Missing),
        ] {
            let expected = [
                ("graphics driver", driver),
                ("graphics card", card),
                ("NVRTC", State::Good),
            ];
            assert_eq!(states(with(version, capability), true), expected);
        }
    }

    #[test]
    fn cards_are_seen_without_a_driver() {
        let folder = tempfile::tempdir().unwrap();
        let add = |name: &str, vendor: &str, class: &str| {
            let device = folder.path().join(name);
            std::fs::create_dir(&device).unwrap();
            std::fs::write(device.join("vendor"), vendor).unwrap();
            std::fs::write(device.join("class"), class).unwrap();
        };
        assert!(!nvidia_hardware(&folder.path().join("nowhere")));
        add("0000:00:1f.0", "0x8086\n", "0x030000\n");
        // Its sound alone is no card.
        add("0000:01:00.1", "0x10de\n", "0x040300\n");
        assert!(!nvidia_hardware(folder.path()));
        add("0000:01:00.0", "0x10de\n", "0x030000\n");
        assert!(nvidia_hardware(folder.path()));
    }
}
