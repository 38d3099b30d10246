//! Where a spec is to become real.

/// A cloud that recipes are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Google,
    /// A cluster of Kubernetes.
    Kubernetes,
}

/// The provider that a cloud's recipes are written for, as in `required_providers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider {
    /// `aws`, `azurerm`, `google`.
    pub name: &'static str,
    /// The version whose schema the recipes are checked against.
    pub version: &'static str,
}

impl Cloud {
    /// All of them, in the order of pages.
    pub const ALL: [Self; 4] = [Self::Aws, Self::Azure, Self::Google, Self::Kubernetes];
    /// Those whose recipes are HCL.
    pub const HCL: [Self; 3] = [Self::Aws, Self::Azure, Self::Google];

    /// As commands and specs spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Google => "google",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// By name; `gcp` and `azurerm` are understood.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "aws" => Some(Self::Aws),
            "azure" | "azurerm" => Some(Self::Azure),
            "google" | "gcp" => Some(Self::Google),
            "kubernetes" | "k8s" => Some(Self::Kubernetes),
            _ => None,
        }
    }

    /// Its provider; none where manifests are rendered.
    pub fn provider(self) -> Option<Provider> {
        match self {
            Self::Aws => Some(Provider { name: "aws", version: "6.25.0" }),
            Self::Azure => Some(Provider { name: "azurerm", version: "4.55.0" }),
            Self::Google => Some(Provider { name: "google", version: "6.50.0" }),
            Self::Kubernetes => None,
        }
    }

    /// The folder of its recipes.
    pub fn recipes(self) -> &'static str {
        self.provider().map_or(self.name(), |provider| provider.name)
    }

    /// A region that every type is offered in, for examples.
    pub fn example_region(self) -> &'static str {
        match self {
            Self::Aws => "eu-central-1",
            Self::Azure => "westeurope",
            Self::Google => "europe-west3",
            Self::Kubernetes => "",
        }
    }
}

impl Provider {
    /// What `required_providers` asks for: this minor version or a later one before the next major.
    pub fn constraint(self) -> String {
        let mut numbers = self.version.split('.');
        format!("~> {}.{}", numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
    }
}

/// A cloud, a place in it, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which cloud.
    pub cloud: Cloud,
    /// `eu-central-1`, `westeurope`, `europe-west3`: the default of the variable that is rendered.
    pub region: String,
    /// What the system is called: the beginning of names in the cloud.
    pub system: String,
    /// `prod`: the second part of names in the cloud.
    pub environment: String,
}

impl Target {
    /// One for examples and tests.
    pub fn example(cloud: Cloud) -> Self {
        Self {
            cloud,
            region: cloud.example_region().to_owned(),
            system: "shop".to_owned(),
            environment: "prod".to_owned(),
        }
    }
}
