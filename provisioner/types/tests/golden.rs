//! A system of three tiers on each cloud and one in a cluster, as people would read them; and the page of the catalog.
#![allow(clippy::unwrap_used)]

mod support;

use grid_types::{Cloud, Format, Spec, Target, page, render};

use support::manifest::Kinds;
use support::schema::Schema;
use support::{file, golden};

#[test]
fn a_shop_on_three_clouds() {
    let text = std::fs::read_to_string(file("tests/golden/shop.toml")).unwrap();
    let spec = Spec::read(&text, Format::Toml).unwrap_or_else(|e| panic!("{}", e.show("shop.toml", &text)));
    for cloud in Cloud::HCL {
        let rendered = render(&spec, &Target::example(cloud)).unwrap();
        assert_eq!(Schema::of(cloud).check(&rendered).wrong, Vec::<String>::new(), "{}", cloud.name());
        for (name, text) in &rendered.files {
            golden(&format!("tests/golden/{}/{name}", cloud.name()), text);
        }
    }
}

#[test]
fn a_shop_in_a_cluster() {
    let text = std::fs::read_to_string(file("tests/golden/cluster.toml")).unwrap();
    let spec = Spec::read(&text, Format::Toml).unwrap_or_else(|e| panic!("{}", e.show("cluster.toml", &text)));
    let rendered = render(&spec, &Target::example(Cloud::Kubernetes)).unwrap();
    assert_eq!(Kinds::read().check(&rendered).wrong, Vec::<String>::new());
    for (name, text) in &rendered.files {
        golden(&format!("tests/golden/kubernetes/{name}"), text);
    }
}

#[test]
fn adding_a_resource_changes_no_line_of_the_others() {
    for cloud in Cloud::ALL {
        let name = if cloud == Cloud::Kubernetes { "cluster" } else { "shop" };
        let text = std::fs::read_to_string(file(&format!("tests/golden/{name}.toml"))).unwrap();
        let more = format!("{text}\n[[resources]]\nkind = \"topic\"\nname = \"app\"\n");
        let [before, after] =
            [&text, &more].map(|t| render(&Spec::read(t, Format::Toml).unwrap(), &Target::example(cloud)).unwrap());
        for (name, text) in &before.files {
            assert!(text.lines().all(|line| after.files[name].contains(line)), "{} {name}", cloud.name());
        }
    }
}

#[test]
fn the_page_shows_the_catalog() {
    let name = "../../docs/resource-types.md";
    let page_now = std::fs::read_to_string(file(name)).unwrap();
    let begin = "<!-- generated: UPDATE_EXPECT=1 -->\n";
    let head = &page_now[..page_now.find(begin).unwrap() + begin.len()];
    golden(name, &format!("{head}{}", page::page()));
}
