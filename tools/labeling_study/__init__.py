"""The experiment on labeling in rounds: acquirers against chance."""
