#!/usr/bin/env bash
# Makes the recordings of this folder from two Debian packages. Needs apt-get, dpkg, ffmpeg and python3.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download pocketsphinx-testdata asterisk-core-sounds-en-g722 && for deb in *.deb; do dpkg -x "$deb" .; done)
sphinx=$work/usr/share/pocketsphinx/test/data
voice=$work/usr/share/asterisk/sounds/en_US_f_Allison

raw() { ffmpeg -nostdin -loglevel error -y -f s16le -ar 16000 -ac 1 -i "$1" -c:a pcm_s16le -bitexact "$2"; }
wav() { ffmpeg -nostdin -loglevel error -y -i "$1" -ar 16000 -ac 1 -c:a pcm_s16le -bitexact "$2"; }
# One prompt, or several joined with pauses of 0.15 s.
prompts() {
  local out=$1 inputs=() labels="" n=0
  shift
  for prompt in "$@"; do
    inputs+=(-f g722 -i "$voice/$prompt.g722")
    labels+="[$n]apad=pad_dur=0.15[p$n];"
    n=$((n + 1))
  done
  for k in $(seq 0 $((n - 1))); do labels+="[p$k]"; done
  ffmpeg -nostdin -loglevel error -y "${inputs[@]}" -filter_complex "${labels}concat=n=$n:v=0:a=1" \
    -ar 16000 -ac 1 -c:a pcm_s16le -bitexact "$out"
}

prompts 01-digits.wav digits/3 digits/1 digits/4 digits/1 digits/5 digits/9
prompts 02-letters.wav letters/e letters/d letters/d letters/y
raw "$sphinx/tidigits/dhd.2934z.raw" 03-digits.wav
prompts 04-letters.wav letters/r letters/u letters/s letters/t
raw "$sphinx/goforward.raw" 05-command.wav
wav "$sphinx/cards/005.wav" 06-cards.wav
prompts 07-prompt.wav all-circuits-busy-now
wav "$sphinx/librivox/sense_and_sensibility_01_austen_64kb-0870.wav" 08-audiobook.wav
wav "$sphinx/librivox/sense_and_sensibility_01_austen_64kb-0880.wav" 09-audiobook.wav
wav "$sphinx/librivox/sense_and_sensibility_01_austen_64kb-0890.wav" 10-audiobook.wav
wav "$sphinx/librivox/sense_and_sensibility_01_austen_64kb-0930.wav" 11-audiobook.wav
