"""The public test kit: contracts proved without broker and network, in any team's tests."""
