//! Who is judged: the fused score, each of its members alone, the two named networks of the mission together, and
//! the trivial baseline. Each is fitted and run through the same pipeline, with nothing but its members changed.

use serde::Serialize;

use crate::detector::{DetectorSpec, Member};
use crate::pipeline::SeriesSpec;

/// A set of members under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contender {
    /// `fused`, the name of a member, or two names joined by `+`.
    pub name: String,
    /// Its members.
    pub members: Vec<Member>,
}

impl Contender {
    fn alone(member: Member) -> Self {
        Self { name: member.to_string(), members: vec![member] }
    }

    /// What a series is judged by when this contender judges it.
    pub fn spec(&self, spec: &SeriesSpec) -> SeriesSpec {
        let detector = DetectorSpec { members: self.members.clone(), ..spec.detector.clone() };
        SeriesSpec { detector, ..spec.clone() }
    }
}

/// All contenders for a choice of members: `fused` first, then the members in their order, `autoencoder+pca` when
/// both are there, and `baseline` last.
pub fn contenders(spec: &DetectorSpec) -> Vec<Contender> {
    let mut all = vec![Contender { name: "fused".to_owned(), members: spec.members.clone() }];
    let is_new = |member: &&Member| **member != Member::Baseline;
    all.extend(spec.members.iter().filter(is_new).map(|member| Contender::alone(*member)));
    let pair = [Member::Autoencoder, Member::Pca];
    if pair.iter().all(|member| spec.members.contains(member)) && spec.members.len() > pair.len() {
        all.push(Contender { name: "autoencoder+pca".to_owned(), members: pair.to_vec() });
    }
    all.push(Contender::alone(Member::Baseline));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_always_stands_beside_the_others() {
        let names = |members: &[Member]| {
            let spec = DetectorSpec { members: members.to_vec(), ..DetectorSpec::default() };
            contenders(&spec).into_iter().map(|contender| contender.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[Member::Pca, Member::Var]), ["fused", "pca", "var", "baseline"]);
        assert_eq!(names(&[Member::Baseline]), ["fused", "baseline"]);
        let all = names(&DetectorSpec::default().members);
        assert!(all.contains(&"autoencoder+pca".to_owned()), "{all:?}");
    }
}
