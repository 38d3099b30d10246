//! Which addresses may be called. A webhook's address is chosen by whoever may make webhooks, and the request comes from the server:
//! without a guard it could reach what only the server can (the cloud's metadata, databases, this server itself). So such requests
//! reach public addresses alone, and networks that the operator named. The check is made on the address that is connected to, after
//! the name was resolved, so that a name cannot change its mind in between; redirects are not followed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A network, `10.0.0.0/8` or `fd00::/8`; a single address is a network of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network (write 10.0.0.0/8, fd00::/8 or 127.0.0.1)")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let bad = || NetworkError(text.to_owned());
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.trim().parse().map_err(|_| bad())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| bad())?;
        if bits > most { Err(bad()) } else { Ok(Self { base, bits }) }
    }
}

impl Network {
    fn contains(self, ip: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let shift = width - u32::from(self.bits);
            shift >= width || a >> shift == b >> shift
        };
        match (self.base, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => self.bits == 0 || same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

/// Which addresses may be called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressGuard {
    /// Networks that may be called although they are not public.
    pub allowed: Vec<Network>,
}

impl AddressGuard {
    /// Whether an address may be called.
    pub fn permits(&self, ip: IpAddr) -> bool {
        // An IPv4 address in IPv6's clothes is that IPv4 address.
        let ip = match ip {
            IpAddr::V6(v6) => embedded(v6).map_or(ip, IpAddr::V4),
            IpAddr::V4(_) => ip,
        };
        public(ip) || self.allowed.iter().any(|network| network.contains(ip))
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64 and 6to4.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let of = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => of(g, h),
        (0, 0, 0, 0, 0, 0) if g != 0 => of(g, h),
        (0x2002, ..) => of(b, c),
        _ => None,
    }
}

/// Whether an address is of the public Internet (IANA's registries of special-purpose addresses).
fn public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        // Global unicast is 2000::/3; of that, documentation and the special block 2001::/23 lead nowhere public.
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            a & 0xe000 == 0x2000 && !(a == 0x2001 && (b < 0x200 || b == 0xdb8)) && !(a == 0x3fff && b < 0x1000)
        }
    }
}

/// A resolver that knows permitted addresses only.
#[derive(Debug)]
pub struct GuardedResolver(pub Arc<AddressGuard>);

/// Why a name was not resolved.
#[derive(Debug, thiserror::Error)]
#[error("the address is not public, and its network is not in `alerting.webhook_networks`")]
pub struct NotPermitted;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted: Vec<SocketAddr> = found.filter(|a| guard.permits(a.ip())).collect();
            if permitted.is_empty() {
                return Err(NotPermitted.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_may_be_called() {
        let guard = AddressGuard::default();
        for (ip, expected) in [
            ("93.184.215.14", true),
            ("2606:2800:220:1::1", true),
            ("127.0.0.1", false),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fd00:ec2::254", false),
            ("ff02::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:93.184.215.14", true),
            ("64:ff9b::a9fe:a9fe", false),
            ("2002:7f00:1::", false),
            ("::7f00:1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(guard.permits(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn networks_may_be_allowed() {
        let networks = |texts: &[&str]| texts.iter().map(|t| t.parse()).collect::<Result<Vec<Network>, _>>();
        let guard = AddressGuard { allowed: networks(&["10.0.0.0/8", "127.0.0.1", "fd00::/8"]).unwrap() };
        for (ip, expected) in [
            ("10.255.0.1", true),
            ("11.0.0.1", true),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("::ffff:127.0.0.1", true),
            ("fd12::1", true),
            ("fe80::1", false),
            ("192.168.0.1", false),
        ] {
            assert_eq!(guard.permits(ip.parse().unwrap()), expected, "{ip}");
        }
        assert!(AddressGuard { allowed: networks(&["0.0.0.0/0"]).unwrap() }.permits("127.0.0.1".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "host", "10.0.0.0/x", "fd00::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
