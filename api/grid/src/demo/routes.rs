//! What a request does: the calls behind each page of the shop, as data.

use super::company::Service;

/// A request to a service and what that service does for it, in order.
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
    pub(crate) work: &'static [Work],
    /// What the service logs about it; `{}` is an id.
    pub(crate) says: &'static str,
}

/// One thing that a service does for a request.
pub(crate) enum Work {
    /// Calls another service.
    Call(&'static Call),
    /// Asks a database: its index, operation, table and statement.
    Query(usize, &'static str, &'static str, &'static str),
    /// Asks the cache.
    Cache(&'static str),
    /// Computes.
    Compute(&'static str),
    /// Puts an event into the queue, from where another service takes it.
    Publish(&'static Call),
}

use Work::{Cache, Compute, Publish, Query};

const ORDERS: usize = super::company::ORDERS_DB;
const INVENTORY: usize = super::company::INVENTORY_DB;
const FEATURES: usize = 3;

static RECOMMEND: Call = Call {
    service: Service::Recommendations,
    method: "GET",
    route: "/recommendations",
    work: &[Query(
        FEATURES,
        "SELECT",
        "features",
        "SELECT sku, score FROM features WHERE customer = $1 ORDER BY score DESC LIMIT 12",
    )],
    says: "ranked 12 of 480 candidates for customer {}",
};
static TEASER: Call = Call {
    service: Service::Search,
    method: "GET",
    route: "/search",
    work: &[],
    says: "query \"new arrivals\" matched 24 bikes, request {}",
};
static STOCK: Call = Call {
    service: Service::Inventory,
    method: "GET",
    route: "/stock/{sku}",
    work: &[Query(INVENTORY, "SELECT", "stock", "SELECT on_hand, reserved FROM stock WHERE sku = $1")],
    says: "stock of sku NB-{} is sufficient",
};
static RESERVE: Call = Call {
    service: Service::Inventory,
    method: "POST",
    route: "/stock/{sku}/reserve",
    work: &[Query(
        INVENTORY,
        "UPDATE",
        "stock",
        "UPDATE stock SET reserved = reserved + $2 WHERE sku = $1 AND on_hand - reserved >= $2",
    )],
    says: "reserved 1 of sku NB-{}",
};
static PAY: Call = Call {
    service: Service::Payments,
    method: "POST",
    route: "/payments",
    work: &[Query(
        ORDERS,
        "INSERT",
        "payments",
        "INSERT INTO payments (order_id, method, amount_cents) VALUES ($1, $2, $3)",
    )],
    says: "payment for order {} authorised",
};
static MAIL: Call = Call {
    service: Service::Email,
    method: "POST",
    route: "/send",
    work: &[],
    says: "sent order confirmation to customer {}",
};
static CHECK_OUT: Call = Call {
    service: Service::Checkout,
    method: "POST",
    route: "/checkout",
    work: &[Work::Call(&RESERVE), Work::Call(&PAY), Publish(&MAIL)],
    says: "order {} placed",
};
static ADD: Call = Call {
    service: Service::Cart,
    method: "POST",
    route: "/cart",
    work: &[Cache("HSET")],
    says: "added item to cart {}",
};
static FIND: Call = Call {
    service: Service::Search,
    method: "GET",
    route: "/search",
    work: &[Compute("rank")],
    says: "query matched 61 bikes, request {}",
};

/// The pages of the shop with their share of visits in percent and the paths that visitors see.
pub(crate) static PAGES: [(u64, Call, &[&str]); 5] = [
    (
        34,
        Call {
            service: Service::Frontend,
            method: "GET",
            route: "/",
            work: &[Work::Call(&RECOMMEND), Work::Call(&TEASER)],
            says: "",
        },
        &["/", "/?ref=newsletter"],
    ),
    (
        26,
        Call {
            service: Service::Frontend,
            method: "GET",
            route: "/products/{sku}",
            work: &[Work::Call(&STOCK), Work::Call(&RECOMMEND)],
            says: "",
        },
        &["/products/NB-1042", "/products/NB-2210", "/products/NB-3307", "/products/NB-1190", "/products/NB-4415"],
    ),
    (
        20,
        Call { service: Service::Frontend, method: "GET", route: "/search", work: &[Work::Call(&FIND)], says: "" },
        &["/search?q=gravel", "/search?q=city+bike", "/search?q=e-bike", "/search?q=helmet"],
    ),
    (
        12,
        Call { service: Service::Frontend, method: "POST", route: "/cart", work: &[Work::Call(&ADD)], says: "" },
        &["/cart"],
    ),
    (
        8,
        Call {
            service: Service::Frontend,
            method: "POST",
            route: "/checkout",
            work: &[Work::Call(&CHECK_OUT)],
            says: "",
        },
        &["/checkout"],
    ),
];
