module revtain.example/receiver

go 1.19
