//! Services, regions, resources, tags.

use super::words::*;

/// FOCUS' categories of services with their subcategories.
#[rustfmt::skip]
const SERVICES: Tree = &[
    ("AI and Machine Learning", &["AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing", "Other (AI and Machine Learning)"]),
    ("Analytics", &["Analytics Platforms", "Business Intelligence", "Data Processing", "Search", "Streaming Analytics", "Other (Analytics)"]),
    ("Business Applications", &["Productivity and Collaboration", "Other (Business Applications)"]),
    ("Compute", &["Containers", "End User Computing", "Quantum Compute", "Serverless Compute", "Virtual Machines", "Other (Compute)"]),
    ("Databases", &["Caching", "Data Warehouses", "Ledger Databases", "NoSQL Databases", "Relational Databases", "Time Series Databases", "Other (Databases)"]),
    ("Developer Tools", &["Developer Platforms", "Continuous Integration and Deployment", "Development Environments", "Source Code Management", "Quality Assurance", "Other (Developer Tools)"]),
    ("Identity", &["Identity and Access Management", "Other (Identity)"]),
    ("Integration", &["API Management", "Messaging", "Workflow Orchestration", "Other (Integration)"]),
    ("Internet of Things", &["IoT Analytics", "IoT Platforms", "Other (Internet of Things)"]),
    ("Management and Governance", &["Architecture", "Compliance", "Cost Management", "Data Governance", "Disaster Recovery", "Endpoint Management", "Observability", "Support", "Other (Management and Governance)"]),
    ("Media", &["Content Creation", "Gaming", "Media Streaming", "Mixed Reality", "Other (Media)"]),
    ("Migration", &["Data Migration", "Resource Migration", "Other (Migration)"]),
    ("Mobile", &["Other (Mobile)"]),
    ("Multicloud", &["Multicloud Integration", "Other (Multicloud)"]),
    ("Networking", &["Application Networking", "Content Delivery", "Network Connectivity", "Network Infrastructure", "Network Routing", "Network Security", "Other (Networking)"]),
    ("Security", &["Secret Management", "Security Posture Management", "Threat Detection and Response", "Other (Security)"]),
    ("Storage", &["Backup Storage", "Block Storage", "File Storage", "Object Storage", "Storage Platforms", "Other (Storage)"]),
    ("Web", &["Application Platforms", "Other (Web)"]),
    ("Other", &["Other (Other)"]),
];

/// One line is one rule; `super::words` has the words.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // ServiceCategory
    rule("ServiceCategory-C-000-M", Must, Check::All("001-M 002-M 003-M")),
    rule("ServiceCategory-C-001-M", Must, Text(ServiceCategory)),
    rule("ServiceCategory-C-002-M", MustNot, NotNull(ServiceCategory)),
    rule("ServiceCategory-C-003-M", Must, OneOf(ServiceCategory, 
        &["AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools", "Multicloud",
        "Identity", "Integration", "Internet of Things", "Management and Governance", "Media", "Migration", "Mobile", "Networking",
        "Security", "Storage", "Web", "Other"])),

    // ServiceName
    rule("ServiceName-C-000-M", Must, Check::All("001-M 002-M 003-M 004-C 007-C")),
    rule("ServiceName-C-001-M", Must, Text(ServiceName)),
    rule("ServiceName-C-002-M", Must, PlainText(ServiceName)),
    rule("ServiceName-C-003-M", MustNot, NotNull(ServiceName)),
    rule("ServiceName-C-004-C", Must, Check::All("005-C 006-C")),
    rule("ServiceName-C-005-C", Must, OnePer(ServiceCategory, ServiceName)),
    dynamic("ServiceName-C-006-C", Must, Unknown(Judgement, "it is of ServiceCategory Other if no category fits")),
    rule("ServiceName-C-007-C", Should, Check::All("008-C 009-C")),
    rule("ServiceName-C-008-C", Should, OnePer(ServiceSubcategory, ServiceName)),
    dynamic("ServiceName-C-009-C", Should, Unknown(Judgement, "it is of ServiceSubcategory Other if no subcategory fits")),

    // ServiceSubcategory
    rule("ServiceSubcategory-C-000-O", Should, Check::All("001-M 002-M 003-M 004-M")),
    rule("ServiceSubcategory-C-001-M", Must, Text(ServiceSubcategory)),
    rule("ServiceSubcategory-C-002-M", MustNot, NotNull(ServiceSubcategory)),
    rule("ServiceSubcategory-C-003-M", Must, Child(ServiceSubcategory, SERVICES)),
    rule("ServiceSubcategory-C-004-M", Must, ChildOf(ServiceSubcategory, ServiceCategory, SERVICES)),

    // AvailabilityZone
    rule("AvailabilityZone-C-000-C", Must, Check::All("001-M 002-M 003-C")).needs(&[AvailabilityZones]),
    rule("AvailabilityZone-C-001-M", Must, Text(AvailabilityZone)),
    rule("AvailabilityZone-C-002-M", Must, PlainText(AvailabilityZone)),
    dynamic("AvailabilityZone-C-003-C", Must, Unknown(Intent, "it is null if the charge is not specific to a zone")),

    // RegionId
    rule("RegionId-C-000-C", Must, Check::All("001-M 002-M 003-C")).needs(&[Regions]),
    rule("RegionId-C-001-M", Must, Text(RegionId)),
    rule("RegionId-C-002-M", Must, PlainText(RegionId)),
    rule("RegionId-C-003-C", Must, Check::All("004-C 005-C")),
    dynamic("RegionId-C-004-C", MustNot, NotNull(RegionId)).when(Has(AvailabilityZone)).partly("a zone is in a region"),
    dynamic("RegionId-C-005-C", May, Allowed("it may be null if there is no region")),

    // RegionName
    rule("RegionName-C-000-C", Must, Check::All("001-M 002-M 003-C")).needs(&[Regions]),
    rule("RegionName-C-001-M", Must, Text(RegionName)),
    rule("RegionName-C-002-M", Must, PlainText(RegionName)),
    rule("RegionName-C-003-C", Must, Check::All("004-C 005-C")),
    rule("RegionName-C-004-C", Must, Null(RegionName)).when(No(RegionId)),
    rule("RegionName-C-005-C", MustNot, NotNull(RegionName)).when(Has(RegionId)),

    // ResourceId
    rule("ResourceId-C-000-C", Must, Check::All("001-M 002-M 003-C 006-C")).needs(&[ProvisionedResources, ResourceTypes]),
    rule("ResourceId-C-001-M", Must, Text(ResourceId)),
    rule("ResourceId-C-002-M", Must, PlainText(ResourceId)),
    rule("ResourceId-C-003-C", Must, Check::All("004-C 005-C")),
    dynamic("ResourceId-C-004-C", Must, Unknown(Intent, "it is null if the charge has nothing to do with a resource")),
    dynamic("ResourceId-C-005-C", MustNot, NotNull(ResourceId)).when(Any(&[Has(ResourceName), Has(ResourceType)]))
        .partly("shows where the row has a name or type of a resource"),
    rule("ResourceId-C-006-C", Must, Check::All("007-M 008-O")).when(Has(ResourceId)),
    dynamic("ResourceId-C-007-M", Must, OnePer(ResourceType, ResourceId)).partly("an id with two types belongs to two resources"),
    dynamic("ResourceId-C-008-O", Should, Unknown(Judgement, "it is a fully qualified id")),

    // ResourceName
    rule("ResourceName-C-000-C", Must, Check::All("001-M 002-M 003-C 006-C")).needs(&[ProvisionedResources, ResourceTypes]),
    rule("ResourceName-C-001-M", Must, Text(ResourceName)),
    rule("ResourceName-C-002-M", Must, PlainText(ResourceName)),
    rule("ResourceName-C-003-C", Must, Check::All("004-C 005-C")),
    dynamic("ResourceName-C-004-C", Must, Null(ResourceName)).when(No(ResourceId))
        .partly("whether a resource has a name shows in this column alone"),
    dynamic("ResourceName-C-005-C", MustNot, Unknown(Intent, "it has a value if the resource has a name")),
    dynamic("ResourceName-C-006-C", MustNot, Unknown(Intent, "it does not repeat an id that the system made")),

    // ResourceType
    rule("ResourceType-C-000-C", Must, Check::All("001-M 002-M 003-C")).needs(&[ProvisionedResources, ResourceTypes]),
    rule("ResourceType-C-001-M", Must, Text(ResourceType)),
    rule("ResourceType-C-002-M", Must, PlainText(ResourceType)),
    rule("ResourceType-C-003-C", Must, Check::All("004-C 005-C")),
    rule("ResourceType-C-004-C", Must, Null(ResourceType)).when(No(ResourceId)),
    rule("ResourceType-C-005-C", MustNot, NotNull(ResourceType)).when(Has(ResourceId))
        .defect("misspells its condition, which a reader of it may drop; Grid asks rows with a ResourceId"),

    // Tags
    rule("Tags-C-000-C", Must, Check::All("001-M 002-O 003-C 011-M 014-M")).needs(&[Tagging]),
    rule("Tags-C-001-M", Must, KeyValue(Tags)),
    rule("Tags-C-002-O", May, Null(Tags)),
    rule("Tags-C-003-C", Must, Check::All("004-M 005-M 006-M 007-O 008-M 009-M 010-C")).when(Has(Tags))
        .defect("holds for rows without tags; Grid takes rows with them"),
    dynamic("Tags-C-004-M", Must, Unknown(Origin, "all tags of users and providers are there")),
    dynamic("Tags-C-005-M", Must, Unknown(Origin, "only final tags are there")),
    dynamic("Tags-C-006-M", Should, Check::Keys(Tags, Keys::Valued)),
    dynamic("Tags-C-007-O", May, Allowed("tags may have no value until they are final")),
    dynamic("Tags-C-008-M", Must, Unknown(Origin, "tags that can have no value are true")),
    dynamic("Tags-C-009-M", Should, Unknown(Documents, "the provider says when tags are final")),
    dynamic("Tags-C-010-C", MustNot, Unknown(Origin, "the provider leaves values of tags alone")),
    rule("Tags-C-011-M", Must, Check::All("012-M 013-M")),
    dynamic("Tags-C-012-M", Must, Unknown(Documents, "tags of the provider begin with its prefix")),
    dynamic("Tags-C-013-M", Should, Unknown(Documents, "the provider publishes its prefixes")),
    rule("Tags-C-014-M", Must, Check::All("015-C 016-C 017-M")),
    dynamic("Tags-C-015-C", Must, Unknown(Documents, "all but one scheme of user tags have a prefix")),
    dynamic("Tags-C-016-C", MustNot, Unknown(Documents, "a single scheme of user tags has no prefix")),
    dynamic("Tags-C-017-M", MustNot, Unknown(Documents, "user tags do not begin with a reserved prefix")),
];
