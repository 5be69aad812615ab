"""APIs that several providers and engines speak, one file each; a provider adds where and how it differs."""
