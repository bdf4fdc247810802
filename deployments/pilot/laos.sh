#!/bin/sh
# A fourth country joins a running pilot: Laos (ISO 3166-1: LA), with an invented agency.
# Each step is a command that its party would run on a machine of its own; roots sign
# without a network, and the file goes from hand to hand. Here all keys lie in one place.
#
#   deployments/pilot/laos.sh [DATA]      DATA is the pilot's data directory (default: pilot-data)
#
# TRIPOINT is how to call tripoint (default: go run ./services/tripoint).
set -eu
data=${1:-pilot-data}
here=$(dirname "$0")
papers=$data/papers
mkdir -p "$papers"

tripoint() {
	echo "\$ tripoint $*"
	# shellcheck disable=SC2086 # a command with its arguments
	${TRIPOINT:-go run ./services/tripoint} "$@" || return
	echo
}

# signed FILE KEY... has each key's holder look at a proposal and sign it.
signed() {
	file=$1
	shift
	for key; do
		tripoint registry sign "$file" --key "$key" --unsealed --yes --charter "$data/charter" | tail -n 2
	done
}

root() { echo "$data/roots/$1.key"; }

echo "# Laos makes its keys: a root, a mirror for its desk, and one for its police. Each has a successor."
mirror=$data/desks/LA/mirror.key
police=$data/publishers/LA-police/publisher.key
for key in "$(root LA)" "$mirror" "$police"; do
	tripoint key new "$key" --unsealed
done

echo "# And the keys that open what is sealed to its desk, one for each compartment that its officers work in."
compartments="case identity protection intelligence"
opening=$data/desks/LA/opening
for compartment in $compartments; do
	tripoint key new "$opening/$compartment.key" --opening --unsealed
done

echo "# It is admitted by two of the three roots, by its own, and with its mirror's key."
tripoint registry propose admit LA --root "$(root LA).pub" --mirror "$mirror.pub" --data "$data" --out "$papers/admit.json"
signed "$papers/admit.json" "$(root CN)" "$(root TH)" "$(root LA)" "$mirror"
tripoint registry submit "$papers/admit.json" --data "$data"

echo "# Its root enrols its police."
tripoint registry propose enrol-agency LA/police --name "Example police of a fourth country" --key "$police.pub" --data "$data" --out "$papers/police.json"
signed "$papers/police.json" "$(root LA)" "$police"
tripoint registry submit "$papers/police.json" --data "$data"

echo "# It enrols its desk's opening keys, before anybody addresses it: what was sealed without them stays closed to it."
for compartment in $compartments; do
	tripoint registry propose enrol-key "LA:$compartment" --key "$opening/$compartment.key.pub" --data "$data" --out "$papers/$compartment.json"
	signed "$papers/$compartment.json" "$(root LA)"
	tripoint registry submit "$papers/$compartment.json" --data "$data"
done

echo "# It joins the audience region: all who are in it have to agree."
tripoint registry propose join-audience region LA --data "$data" --out "$papers/join.json"
signed "$papers/join.json" "$(root CN)" "$(root MM)" "$(root TH)" "$(root LA)"
tripoint registry submit "$papers/join.json" --data "$data"

echo "# What changed, and who may now publish what to whom."
tripoint registry history --data "$data"
tripoint registry show --data "$data"

echo "# Its police say something, as soon as the pilot has started their publisher."
tries=0
until tripoint publish --data "$data" --as LA/police "$here/laos.json" 2>"$papers/trying"; do
	tries=$((tries + 1))
	[ "$tries" -lt 60 ] || { cat "$papers/trying"; exit 1; }
	sleep 0.5
done
