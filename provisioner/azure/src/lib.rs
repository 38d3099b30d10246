//! What Grid does in a subscription of Azure: levers, and a read-only inventory.
