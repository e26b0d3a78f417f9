"""The terms of the field, one definition each: what `gradcli explain` says of them."""
