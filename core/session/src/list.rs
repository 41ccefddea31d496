//! Lists of providers, packed: as many bytes for each, so that a short frame cannot say a long list.

use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode, Encoder, encode};
use phalanx_groups::domain::{Gone, ProviderId};
use phalanx_types::{Incarnation, NodeId};

/// Bytes of a provider: its node, that node's life, its instance.
pub(crate) const PROVIDER: usize = 12;
/// The same, and how it came to be gone.
const DEPARTED: usize = PROVIDER + 1;

/// Providers, in an order that means something where they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Providers(pub Vec<ProviderId>);

/// Providers that are gone, and how that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Departed(pub Vec<(ProviderId, Gone)>);

impl FromIterator<ProviderId> for Providers {
    fn from_iter<I: IntoIterator<Item = ProviderId>>(providers: I) -> Providers {
        Providers(providers.into_iter().collect())
    }
}

impl<C> Encode<C> for Providers {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        let mut packed = Vec::with_capacity(PROVIDER * self.0.len());
        self.0.iter().for_each(|provider| packed.extend_from_slice(&pack(*provider)));
        e.bytes(&packed)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Providers {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Providers, Error> {
        let (packed, rest) = d.bytes()?.as_chunks::<PROVIDER>();
        whole(rest)?;
        Ok(packed.iter().map(unpack).collect())
    }
}

impl<C> Encode<C> for Departed {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        let packed: Vec<u8> = self
            .0
            .iter()
            .flat_map(|(provider, how)| pack(*provider).into_iter().chain([number(*how)]))
            .collect();
        e.bytes(&packed)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Departed {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Departed, Error> {
        let (packed, rest) = d.bytes()?.as_chunks::<DEPARTED>();
        whole(rest)?;
        let mut departed = Vec::with_capacity(packed.len());
        for one in packed {
            let (provider, how) = one.split_first_chunk().expect("a provider, and a byte");
            departed.push((unpack(provider), gone(how[0])?));
        }
        Ok(Departed(departed))
    }
}

fn whole(rest: &[u8]) -> Result<(), Error> {
    if rest.is_empty() { Ok(()) } else { Err(Error::message("the last provider is not whole")) }
}

pub(crate) fn pack(provider: ProviderId) -> [u8; PROVIDER] {
    let ProviderId { life: Incarnation { node: NodeId(node), start }, instance } = provider;
    let mut packed = [0; PROVIDER];
    packed[..2].copy_from_slice(&node.to_le_bytes());
    packed[2..10].copy_from_slice(&start.to_le_bytes());
    packed[10..].copy_from_slice(&instance.to_le_bytes());
    packed
}

pub(crate) fn unpack(packed: &[u8; PROVIDER]) -> ProviderId {
    let [n0, n1, s0, s1, s2, s3, s4, s5, s6, s7, i0, i1] = *packed;
    let node = NodeId(u16::from_le_bytes([n0, n1]));
    let start = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
    ProviderId { life: Incarnation { node, start }, instance: i16::from_le_bytes([i0, i1]) }
}

fn number(how: Gone) -> u8 {
    match how {
        Gone::Goodbye => 0,
        Gone::Failed => 1,
        Gone::NodeLost => 2,
    }
}

fn gone(number: u8) -> Result<Gone, Error> {
    match number {
        0 => Ok(Gone::Goodbye),
        1 => Ok(Gone::Failed),
        2 => Ok(Gone::NodeLost),
        _ => Err(Error::message("nobody is gone like that")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_provider_is_none_and_nobody_is_gone_in_an_unknown_way() {
        let said = |bytes: &[u8]| minicbor::to_vec(<&minicbor::bytes::ByteSlice>::from(bytes)).unwrap();
        assert!(minicbor::decode::<Providers>(&said(&[0; 24])).is_ok_and(|list| list.0.len() == 2));
        assert!(minicbor::decode::<Providers>(&said(&[0; 25])).is_err());
        assert!(minicbor::decode::<Departed>(&said(&[2; 13])).is_ok());
        assert!(minicbor::decode::<Departed>(&said(&[3; 13])).is_err());
    }
}
