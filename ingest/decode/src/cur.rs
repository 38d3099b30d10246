//! AWS Cost and Usage Reports into `charges`: legacy CUR (`lineItem/UnblendedCost`) and CUR 2.0 (`line_item_unblended_cost`).
//!
//! The mapping is written down for users in `docs/bills.md`. What is not mapped one to one stays in `x_columns` under its
//! own name, so the line item can be restored.

use std::borrow::Cow;

use grid_model::Amount;
use grid_model::money::Residual;
use grid_model::table::charges::{ChargeRow, Column};

use crate::bill::mapping::{Header, columns, keep};
use crate::bill::{BillError, BillFormat, MapContext, Row, canonical, number};
use crate::focus::tags;

/// Columns whose text is taken over as it is.
const COPIED: &[(&str, Column)] = &[
    ("bill/InvoiceId", Column::InvoiceId),
    ("bill/PayerAccountId", Column::BillingAccountId),
    ("bill/PayerAccountName", Column::BillingAccountName),
    ("lineItem/UsageAccountId", Column::SubAccountId),
    ("lineItem/UsageAccountName", Column::SubAccountName),
    ("lineItem/AvailabilityZone", Column::AvailabilityZone),
    ("lineItem/CurrencyCode", Column::BillingCurrency),
    ("lineItem/LineItemDescription", Column::ChargeDescription),
    ("lineItem/ResourceId", Column::ResourceId),
    ("pricing/RateCode", Column::SkuPriceId),
    ("product/sku", Column::SkuId),
];

/// Columns that a report must have.
const MANDATORY: &[&str] = &[
    "bill/PayerAccountId",
    "bill/BillingPeriodStartDate",
    "bill/BillingPeriodEndDate",
    "lineItem/LineItemType",
    "lineItem/UsageStartDate",
    "lineItem/UsageEndDate",
    "lineItem/ProductCode",
    "lineItem/CurrencyCode",
    "lineItem/UnblendedCost",
];

/// The one number that is subtracted.
const PLAN_USED: &str = "savingsPlan/UsedCommitment";

const TAG_PREFIXES: [&str; 2] = ["resourceTags/", "resource_tags_"];

/// What a line item stands for, as far as its cost goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineItem {
    Usage,
    DiscountedUsage,
    SavingsPlanCovered,
    SavingsPlanNegation,
    SavingsPlanRecurringFee,
    SavingsPlanUpfrontFee,
    ReservationFee,
    Fee,
    Tax,
    Credit,
    /// Refunds, discounts and whatever AWS invents next.
    Adjustment,
}

impl LineItem {
    fn parse(name: &str) -> Self {
        match name {
            "Usage" => Self::Usage,
            "DiscountedUsage" => Self::DiscountedUsage,
            "SavingsPlanCoveredUsage" => Self::SavingsPlanCovered,
            "SavingsPlanNegation" => Self::SavingsPlanNegation,
            "SavingsPlanRecurringFee" => Self::SavingsPlanRecurringFee,
            "SavingsPlanUpfrontFee" => Self::SavingsPlanUpfrontFee,
            "RIFee" => Self::ReservationFee,
            "Fee" => Self::Fee,
            "Tax" => Self::Tax,
            "Credit" => Self::Credit,
            _ => Self::Adjustment,
        }
    }

    fn category(self) -> &'static str {
        match self {
            Self::Usage | Self::DiscountedUsage | Self::SavingsPlanCovered | Self::SavingsPlanNegation => "Usage",
            Self::SavingsPlanRecurringFee | Self::SavingsPlanUpfrontFee | Self::ReservationFee | Self::Fee => {
                "Purchase"
            }
            Self::Tax => "Tax",
            Self::Credit => "Credit",
            Self::Adjustment => "Adjustment",
        }
    }

    fn frequency(self) -> &'static str {
        match self.category() {
            "Usage" => "Usage-Based",
            "Purchase" if matches!(self, Self::SavingsPlanRecurringFee | Self::ReservationFee) => "Recurring",
            _ => "One-Time",
        }
    }

    /// Whether the line tells how much of something was consumed.
    fn is_consumption(self) -> bool {
        matches!(self, Self::Usage | Self::DiscountedUsage | Self::SavingsPlanCovered)
    }
}

/// A tag column: its index and the tag's key.
struct TagColumn {
    index: usize,
    key: String,
}

/// Where the columns of one report are.
pub(crate) struct CurMapping {
    copied: Vec<(usize, Column)>,
    tag_columns: Vec<TagColumn>,
    /// Columns kept under their own name.
    extra: Vec<(usize, String)>,
    at: Columns,
}

// `true`: the source's own text is kept in x_columns too, because the mapping loses some of it.
columns! {
    bill_type = &["bill/BillType"], true,
    billing_entity = &["bill/BillingEntity"], true,
    invoicing_entity = &["bill/InvoicingEntity"], false,
    period_start = &["bill/BillingPeriodStartDate"], false,
    period_end = &["bill/BillingPeriodEndDate"], false,
    item_type = &["lineItem/LineItemType"], true,
    usage_start = &["lineItem/UsageStartDate"], false,
    usage_end = &["lineItem/UsageEndDate"], false,
    product_code = &["lineItem/ProductCode"], true,
    usage_type = &["lineItem/UsageType"], true,
    usage_amount = &["lineItem/UsageAmount"], true,
    currency = &["lineItem/CurrencyCode"], false,
    unblended_rate = &["lineItem/UnblendedRate"], true,
    unblended_cost = &["lineItem/UnblendedCost"], false,
    legal_entity = &["lineItem/LegalEntity"], false,
    product_name = &["product/ProductName"], true,
    service_name = &["product/servicename"], true,
    family = &["product/productFamily"], true,
    region_code = &["product/regionCode"], true,
    region = &["product/region"], true,
    location = &["product/location"], true,
    location_type = &["product/locationType"], true,
    list_cost = &["pricing/publicOnDemandCost"], true,
    list_rate = &["pricing/publicOnDemandRate"], true,
    term = &["pricing/term"], true,
    unit = &["pricing/unit"], true,
    price_currency = &["pricing/currency"], true,
    reservation_arn = &["reservation/ReservationARN"], true,
    reservation_effective = &["reservation/EffectiveCost"], true,
    reservation_unused_upfront = &["reservation/UnusedAmortizedUpfrontFeeForBillingPeriod"], true,
    reservation_unused_recurring = &["reservation/UnusedRecurringFee"], true,
    plan_arn = &["savingsPlan/SavingsPlanARN"], true,
    plan_effective = &["savingsPlan/SavingsPlanEffectiveCost"], true,
    plan_total = &["savingsPlan/TotalCommitmentToDate"], true,
    plan_used = &["savingsPlan/UsedCommitment"], true,
    resource_tags = &["resource_tags"], false,
    product = &["product"], false,
    discount = &["discount"], false,
    cost_category = &["cost_category"], false,
}

impl CurMapping {
    /// Reads a header.
    pub(crate) fn new(names: &[String]) -> Result<Self, BillError> {
        let header = Header::new(names, |name| tag_key(name).is_some());
        let missing: Vec<&'static str> = MANDATORY.iter().copied().filter(|m| header.find(&[m]).is_none()).collect();
        if !missing.is_empty() {
            return Err(BillError::MissingColumns { format: BillFormat::AwsCur, columns: missing });
        }
        let at = Columns::find(&header);
        let copied: Vec<(usize, Column)> = COPIED.iter().filter_map(|(n, c)| Some((header.find(&[n])?, *c))).collect();
        let mut tag_columns: Vec<TagColumn> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            if let Some(key) = tag_key(name).filter(|k| tag_columns.iter().all(|t| t.key != *k)) {
                tag_columns.push(TagColumn { index, key: key.to_owned() });
            }
        }
        let absorbed = at.absorbed();
        let extra = header.extra(|i| {
            let copied = copied.iter().any(|(c, _)| *c == i) || absorbed.contains(&Some(i));
            copied || tag_columns.iter().any(|t| t.index == i)
        });
        Ok(Self { copied, tag_columns, extra, at })
    }

    /// Where the billed cost is.
    pub(crate) fn cost(&self) -> usize {
        self.at.unblended_cost.expect("a mandatory column")
    }

    /// Where the currency is.
    pub(crate) fn currency(&self) -> usize {
        self.at.currency.expect("a mandatory column")
    }

    /// Maps one row whose billed cost is already set.
    pub(crate) fn map<'r>(
        &'r self,
        row: Row<'r>,
        billed: Amount,
        cx: &mut MapContext<'_>,
        charge: &mut ChargeRow<'r>,
    ) -> Result<(), String> {
        let at = &self.at;
        let get = |column: Option<usize>| column.and_then(|i| row.get(i));
        for (i, column) in &self.copied {
            if let Some(cell) = row.get(*i) {
                charge.set_text(*column, if *column == Column::BillingCurrency { cell.trim() } else { cell });
            }
        }
        for (slot, column, index, name) in [
            (0, Column::BillingPeriodStart, at.period_start, "bill/BillingPeriodStartDate"),
            (1, Column::BillingPeriodEnd, at.period_end, "bill/BillingPeriodEndDate"),
            (2, Column::ChargePeriodStart, at.usage_start, "lineItem/UsageStartDate"),
            (3, Column::ChargePeriodEnd, at.usage_end, "lineItem/UsageEndDate"),
        ] {
            let cell = get(index).ok_or_else(|| format!("{name} is null"))?;
            charge.set_time(column, cx.date(name, slot, cell)?);
        }
        let type_name = get(at.item_type).ok_or("lineItem/LineItemType is null")?;
        let item = LineItem::parse(type_name);
        charge.set_text(Column::ChargeCategory, item.category());
        charge.set_text(Column::ChargeFrequency, item.frequency());
        if get(at.bill_type) == Some("Refund") {
            charge.set_text(Column::ChargeClass, "Correction");
        }
        self.set_costs(row, item, billed, cx, charge);
        self.set_quantities(row, item, cx, charge);
        self.set_commitment(row, item, charge);
        let product = get(at.product).and_then(tags).unwrap_or_default();
        self.set_service(row, &product, charge);
        self.keep_maps(row, product, charge);
        self.set_parties(row, charge);
        self.set_tags(row, cx, charge);
        keep(&self.extra, row, charge);
        Ok(())
    }

    /// Effective cost is AWS' amortised cost: commitments count where they are used, and what of them is unused where
    /// their fee is.
    fn set_costs<'r>(
        &'r self,
        row: Row<'r>,
        item: LineItem,
        billed: Amount,
        cx: &mut MapContext<'_>,
        charge: &mut ChargeRow<'r>,
    ) {
        let at = &self.at;
        // What rounding takes counts to the column that the number goes into, turned round where the number is taken away.
        let mut number = |into: Column, column: Option<usize>, name: &str| {
            let (amount, residual) = match number::parse(column.and_then(|i| row.get(i))?) {
                Ok(read) => read,
                Err(_) => {
                    cx.note_of(format!("{name} is not a number"));
                    return None;
                }
            };
            let less = name == PLAN_USED;
            cx.rounding(into, if less { Residual(-residual.0) } else { residual });
            Some(if less { Amount(-amount.0) } else { amount })
        };
        let mut effective_of = |column, name| number(Column::EffectiveCost, column, name);
        let effective = match item {
            LineItem::SavingsPlanCovered => effective_of(at.plan_effective, "savingsPlan/SavingsPlanEffectiveCost"),
            LineItem::SavingsPlanNegation | LineItem::SavingsPlanUpfrontFee => Some(Amount::ZERO),
            LineItem::SavingsPlanRecurringFee => effective_of(at.plan_total, "savingsPlan/TotalCommitmentToDate")
                .zip(effective_of(at.plan_used, PLAN_USED))
                .and_then(|(total, used)| total.checked_add(used)),
            LineItem::DiscountedUsage => effective_of(at.reservation_effective, "reservation/EffectiveCost"),
            LineItem::ReservationFee => {
                effective_of(at.reservation_unused_upfront, "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod")
                    .zip(effective_of(at.reservation_unused_recurring, "reservation/UnusedRecurringFee"))
                    .and_then(|(upfront, recurring)| upfront.checked_add(recurring))
            }
            LineItem::Fee if at.reservation_arn.is_some_and(|i| row.get(i).is_some()) => Some(Amount::ZERO),
            _ => Some(billed),
        };
        let list = match item {
            LineItem::SavingsPlanNegation => Some(Amount::ZERO),
            _ if item.is_consumption() => number(Column::ListCost, at.list_cost, "pricing/publicOnDemandCost"),
            _ => Some(billed),
        };
        let unknown_list = list.is_none();
        let list = list.unwrap_or(billed);
        let contracted = match item {
            LineItem::SavingsPlanNegation => Amount::ZERO,
            // Billed at zero; the negotiated price of reserved usage is in no column.
            LineItem::DiscountedUsage => list,
            _ => billed,
        };
        if effective.is_none() {
            cx.note("the amortised cost of a commitment is not in the report: EffectiveCost = BilledCost");
        }
        if unknown_list {
            cx.note("the public price is not in the report: ListCost = BilledCost");
        }
        charge.set_amount(Column::EffectiveCost, effective.unwrap_or(billed));
        charge.set_amount(Column::ListCost, list);
        charge.set_amount(Column::ContractedCost, contracted);
    }

    fn set_quantities<'r>(&'r self, row: Row<'r>, item: LineItem, cx: &mut MapContext<'_>, charge: &mut ChargeRow<'r>) {
        let at = &self.at;
        if item == LineItem::Tax {
            return;
        }
        let get = |column: Option<usize>| column.and_then(|i| row.get(i));
        let unit = get(at.unit);
        for (column, index, name, applies) in [
            (Column::ConsumedQuantity, at.usage_amount, "lineItem/UsageAmount", item.is_consumption()),
            (Column::PricingQuantity, at.usage_amount, "lineItem/UsageAmount", true),
            (Column::ListUnitPrice, at.list_rate, "pricing/publicOnDemandRate", item.is_consumption()),
            (Column::ContractedUnitPrice, at.unblended_rate, "lineItem/UnblendedRate", item == LineItem::Usage),
        ] {
            let Some(text) = get(index).filter(|_| applies) else { continue };
            match cx.amount(name, text) {
                Ok(amount) => charge.set_amount(column, amount),
                // The text itself is kept in x_columns.
                Err(_) => cx.note_of(format!("{name} is not a number")),
            }
        }
        if let Some(unit) = unit {
            if item.is_consumption() {
                charge.set_text(Column::ConsumedUnit, unit);
            }
            charge.set_text(Column::PricingUnit, unit);
        }
        if let Some(currency) = get(at.price_currency) {
            charge.set_text(Column::PricingCurrency, currency);
        }
        let spot = get(at.usage_type).is_some_and(|u| u.contains("SpotUsage")) || get(at.term) == Some("Spot");
        charge.set_text(
            Column::PricingCategory,
            match item {
                LineItem::DiscountedUsage | LineItem::SavingsPlanCovered => "Committed",
                LineItem::Usage if spot => "Dynamic",
                LineItem::Usage => "Standard",
                _ if item.category() == "Purchase" => "Standard",
                _ => "Other",
            },
        );
        if let Some(usage_type) = get(at.usage_type) {
            charge.set_text(Column::SkuMeter, usage_type);
        }
    }

    fn set_commitment<'r>(&'r self, row: Row<'r>, item: LineItem, charge: &mut ChargeRow<'r>) {
        let get = |column: Option<usize>| column.and_then(|i| row.get(i));
        let (id, category, kind) = match (get(self.at.plan_arn), get(self.at.reservation_arn)) {
            (Some(plan), _) => (plan, "Spend", "Savings Plan"),
            (None, Some(reservation)) => (reservation, "Usage", "Reserved Instance"),
            (None, None) => return,
        };
        charge.set_text(Column::CommitmentDiscountId, id);
        charge.set_text(Column::CommitmentDiscountCategory, category);
        charge.set_text(Column::CommitmentDiscountType, kind);
        if matches!(item, LineItem::DiscountedUsage | LineItem::SavingsPlanCovered) {
            charge.set_text(Column::CommitmentDiscountStatus, "Used");
        }
    }

    /// CUR 2.0 keeps most of what it knows of a product in a map: what is in no column of its own is looked for there.
    fn set_service<'r>(&'r self, row: Row<'r>, product: &Pairs<'r>, charge: &mut ChargeRow<'r>) {
        let at = &self.at;
        let get = |column: Option<usize>| column.and_then(|i| row.get(i));
        let of_product = |name: &str| match product.iter().find(|(key, _)| canonical(key) == name) {
            Some((_, Cow::Borrowed(value))) => Some(*value).filter(|v| !v.is_empty()),
            _ => None,
        };
        let code = get(at.product_code).unwrap_or_default();
        let name = get(at.product_name).or_else(|| get(at.service_name));
        let name = name.or_else(|| of_product("productname")).or_else(|| of_product("servicename")).unwrap_or(code);
        if charge.text(Column::SkuId).is_none() {
            charge.set_text(Column::SkuId, of_product("sku").unwrap_or_default());
        }
        charge.set_text(Column::ServiceName, name);
        let (category, subcategory) =
            service_category(code, get(at.family).or_else(|| of_product("productfamily")).unwrap_or_default());
        charge.set_text(Column::ServiceCategory, category);
        charge.set_text(Column::ServiceSubcategory, subcategory);
        let region = get(at.region_code).or_else(|| get(at.region));
        let region = region.or_else(|| of_product("regioncode")).or_else(|| of_product("region"));
        charge.set_text(Column::RegionId, region.unwrap_or_default());
        if get(at.location_type).is_none_or(|t| t == "AWS Region") {
            let location = get(at.location).or_else(|| of_product("location"));
            charge.set_text(Column::RegionName, location.unwrap_or_default());
        }
    }

    /// What the maps of CUR 2.0 say, under the names that its flat predecessor gave such columns.
    fn keep_maps<'r>(&'r self, row: Row<'r>, product: Pairs<'r>, charge: &mut ChargeRow<'r>) {
        let at = &self.at;
        let unreadable = at.product.is_some_and(|_| product.is_empty());
        let keep = |charge: &mut ChargeRow<'r>, prefix: &str, pairs: Pairs<'r>| {
            charge.x_columns.extend(pairs.into_iter().map(|(k, v)| (Cow::Owned(format!("{prefix}/{k}")), v)));
        };
        keep(charge, "product", product);
        for (column, name, prefix) in [
            (at.product.filter(|_| unreadable), "product", "product"),
            (at.discount, "discount", "discount"),
            (at.cost_category, "cost_category", "costCategory"),
        ] {
            let Some(cell) = column.and_then(|i| row.get(i)) else { continue };
            match tags(cell) {
                Some(pairs) => keep(charge, prefix, pairs),
                None => charge.x_columns.push((Cow::Borrowed(name), Cow::Borrowed(cell))),
            }
        }
    }

    fn set_parties<'r>(&'r self, row: Row<'r>, charge: &mut ChargeRow<'r>) {
        let at = &self.at;
        let get = |column: Option<usize>| column.and_then(|i| row.get(i));
        let legal = get(at.legal_entity);
        let issuer = get(at.invoicing_entity).or(legal).unwrap_or("AWS");
        let seller = match get(at.billing_entity) {
            Some("AWS Marketplace") => legal.unwrap_or("AWS Marketplace"),
            _ => "AWS",
        };
        charge.set_text(Column::InvoiceIssuerName, issuer);
        charge.set_text(Column::ServiceProviderName, seller);
        charge.set_text(Column::HostProviderName, "AWS");
        charge.set_text(Column::ProviderName, "AWS");
        charge.set_text(Column::PublisherName, legal.unwrap_or("AWS"));
        if charge.text(Column::SubAccountId).is_some() {
            charge.set_text(Column::SubAccountType, "AWS Account");
        }
    }

    fn set_tags<'r>(&'r self, row: Row<'r>, cx: &mut MapContext<'_>, charge: &mut ChargeRow<'r>) {
        for tag in &self.tag_columns {
            if let Some(value) = row.get(tag.index) {
                charge.tags.push((Cow::Borrowed(&tag.key), Cow::Borrowed(value)));
            }
        }
        if let Some(json) = self.at.resource_tags.and_then(|i| row.get(i)) {
            match tags(json) {
                Some(pairs) => {
                    for (key, value) in pairs {
                        let key = key.strip_prefix("user_").map_or(key.clone(), |k| Cow::Owned(k.to_owned()));
                        if charge.tags.iter().all(|(k, _)| *k != key) {
                            charge.tags.push((key, value));
                        }
                    }
                }
                None => {
                    cx.note("resource_tags is not a JSON object: kept as text in x_columns");
                    charge.x_columns.push((Cow::Borrowed("resource_tags"), Cow::Borrowed(json)));
                }
            }
        }
    }
}

/// A map of the source.
type Pairs<'r> = Vec<(Cow<'r, str>, Cow<'r, str>)>;

/// The tag that a column holds: `resourceTags/user:team` is `team`, `resourceTags/aws:createdBy` keeps its declared prefix.
fn tag_key(header: &str) -> Option<&str> {
    let key = TAG_PREFIXES.iter().find_map(|p| header.strip_prefix(p))?;
    let key = key.strip_prefix("user:").or_else(|| key.strip_prefix("user_")).unwrap_or(key);
    (!key.is_empty()).then_some(key)
}

/// FOCUS' category and subcategory of an AWS product; the product family decides where a product spans several.
fn service_category(code: &str, family: &str) -> (&'static str, &'static str) {
    match (code, family) {
        ("AmazonEC2", "Storage" | "Storage Snapshot" | "System Operation") => ("Storage", "Block Storage"),
        ("AmazonEC2", "Load Balancer" | "Load Balancer-Application" | "Load Balancer-Network") => {
            ("Networking", "Application Networking")
        }
        ("AmazonEC2", "NAT Gateway" | "IP Address" | "Data Transfer") => ("Networking", "Network Connectivity"),
        _ => SERVICES.iter().find(|(c, _, _)| *c == code).map_or(("Other", "Other (Other)"), |(_, c, s)| (c, s)),
    }
}

const SERVICES: &[(&str, &str, &str)] = &[
    ("AmazonEC2", "Compute", "Virtual Machines"),
    ("AmazonLightsail", "Compute", "Virtual Machines"),
    ("AWSLambda", "Compute", "Serverless Compute"),
    ("AmazonECS", "Compute", "Containers"),
    ("AmazonEKS", "Compute", "Containers"),
    ("AmazonECR", "Compute", "Containers"),
    ("AmazonWorkSpaces", "Compute", "End User Computing"),
    ("AmazonS3", "Storage", "Object Storage"),
    ("AmazonGlacier", "Storage", "Object Storage"),
    ("AmazonS3GlacierDeepArchive", "Storage", "Object Storage"),
    ("AmazonEFS", "Storage", "File Storage"),
    ("AmazonFSx", "Storage", "File Storage"),
    ("AWSBackup", "Storage", "Backup Storage"),
    ("AmazonRDS", "Databases", "Relational Databases"),
    ("AmazonAurora", "Databases", "Relational Databases"),
    ("AmazonDynamoDB", "Databases", "NoSQL Databases"),
    ("AmazonDocDB", "Databases", "NoSQL Databases"),
    ("AmazonNeptune", "Databases", "NoSQL Databases"),
    ("AmazonElastiCache", "Databases", "Caching"),
    ("AmazonMemoryDB", "Databases", "Caching"),
    ("AmazonTimestream", "Databases", "Time Series Databases"),
    ("AmazonRedshift", "Databases", "Data Warehouses"),
    ("AmazonAthena", "Analytics", "Analytics Platforms"),
    ("AWSGlue", "Analytics", "Data Processing"),
    ("ElasticMapReduce", "Analytics", "Data Processing"),
    ("AmazonKinesis", "Analytics", "Streaming Analytics"),
    ("AmazonKinesisFirehose", "Analytics", "Streaming Analytics"),
    ("AmazonMSK", "Integration", "Messaging"),
    ("AmazonES", "Analytics", "Search"),
    ("AmazonQuickSight", "Analytics", "Analytics Platforms"),
    ("AmazonSageMaker", "AI and Machine Learning", "Machine Learning"),
    ("AmazonBedrock", "AI and Machine Learning", "Generative AI"),
    ("AmazonSNS", "Integration", "Messaging"),
    ("AWSQueueService", "Integration", "Messaging"),
    ("AmazonMQ", "Integration", "Messaging"),
    ("AmazonStates", "Integration", "Workflow Orchestration"),
    ("AWSEvents", "Integration", "Messaging"),
    ("AmazonApiGateway", "Integration", "API Management"),
    ("AmazonVPC", "Networking", "Network Infrastructure"),
    ("AWSELB", "Networking", "Application Networking"),
    ("AmazonCloudFront", "Networking", "Content Delivery"),
    ("AmazonRoute53", "Networking", "Network Routing"),
    ("AWSDirectConnect", "Networking", "Network Connectivity"),
    ("AWSDataTransfer", "Networking", "Network Connectivity"),
    ("AmazonCloudWatch", "Management and Governance", "Observability"),
    ("AWSXRay", "Management and Governance", "Observability"),
    ("AWSCloudTrail", "Management and Governance", "Compliance"),
    ("AWSConfig", "Management and Governance", "Compliance"),
    ("AWSSystemsManager", "Management and Governance", "Other (Management and Governance)"),
    ("AWSCostExplorer", "Management and Governance", "Cost Management"),
    ("AWSSupportBusiness", "Management and Governance", "Support"),
    ("AWSSupportEnterprise", "Management and Governance", "Support"),
    ("awskms", "Security", "Secret Management"),
    ("AWSSecretsManager", "Security", "Secret Management"),
    ("AmazonGuardDuty", "Security", "Threat Detection and Response"),
    ("AWSSecurityHub", "Security", "Security Posture Management"),
    ("awswaf", "Security", "Other (Security)"),
    ("AmazonInspectorV2", "Security", "Security Posture Management"),
    ("AmazonCognito", "Identity", "Identity and Access Management"),
    ("CodeBuild", "Developer Tools", "Continuous Integration and Deployment"),
    ("AWSCodePipeline", "Developer Tools", "Continuous Integration and Deployment"),
    ("AWSCodeCommit", "Developer Tools", "Source Code Management"),
    ("AWSCloudShell", "Developer Tools", "Development Environments"),
    ("AWSIoT", "Internet of Things", "Other (Internet of Things)"),
    ("AWSMigrationHubRefactorSpaces", "Migration", "Other (Migration)"),
    ("AWSDatabaseMigrationSvc", "Migration", "Data Migration"),
    ("AWSDataSync", "Migration", "Data Migration"),
    ("AWSElementalMediaConvert", "Media", "Media Streaming"),
    ("AWSAmplify", "Web", "Application Platforms"),
    ("ElasticBeanstalk", "Web", "Application Platforms"),
];
